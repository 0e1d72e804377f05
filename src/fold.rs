//! Folds text for people at the width of their terminal, which would break words. Markdown stays
//! Markdown, except for tables that are too wide: of those each row becomes a list.

use console::Term;

/// The columns of a terminal; `None` if this is not a terminal, or does not say.
pub fn columns(term: &Term) -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let columns =
        if term.is_term() { term.size_checked().map(|(_, columns)| usize::from(columns)).filter(|n| *n > 0).or_else(told) } else { None };
    columns.filter(|columns| *columns > 0)
}

/// Folds a text. Code, and what is indented (excerpts, commands), is left as it is.
pub fn fold(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut in_code = false;
    while let Some(line) = lines.next() {
        if line.starts_with('|') {
            let mut rows = vec![line];
            rows.extend(std::iter::from_fn(|| lines.next_if(|row| row.starts_with('|'))));
            fold_table(&mut out, &rows, columns);
            continue;
        }
        in_code ^= line.starts_with("```");
        if in_code || line.starts_with("  ") || line.chars().count() <= columns {
            out.push_str(line);
            out.push('\n');
        } else {
            let (first, then) = ["- ", "> ", "# ", "## "].into_iter().find(|mark| line.starts_with(mark)).map_or(("", ""), hanging);
            fold_line(&mut out, line.strip_prefix(first).unwrap_or(line), (first, then), columns);
        }
    }
    if !text.ends_with('\n') {
        out.pop();
    }
    out
}

/// What the lines after the first one begin with.
fn hanging(mark: &'static str) -> (&'static str, &'static str) {
    (mark, if mark == "> " { "> " } else { "  " })
}

/// `begin` is what the first line begins with, and every other.
fn fold_line(out: &mut String, text: &str, begin: (&str, &str), columns: usize) {
    let width = |text: &str| text.chars().count();
    let mut used = width(begin.0);
    out.push_str(begin.0);
    for (number, word) in text.split_whitespace().enumerate() {
        if number > 0 && used + 1 + width(word) > columns {
            out.push('\n');
            out.push_str(begin.1);
            used = width(begin.1);
        } else if number > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += width(word);
    }
    out.push('\n');
}

/// A table that fits stays one.
fn fold_table(out: &mut String, rows: &[&str], columns: usize) {
    let [header, _, body @ ..] = rows else { return rows.iter().for_each(|row| out.extend([*row, "\n"])) };
    if rows.iter().all(|row| row.chars().count() <= columns) {
        rows.iter().for_each(|row| out.extend([*row, "\n"]));
        return;
    }
    let names = cells(header);
    for (number, row) in body.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        let named = names.iter().map(String::as_str).chain(std::iter::repeat("")).zip(cells(row));
        for (at, (name, cell)) in named.filter(|(_, cell)| !cell.is_empty()).enumerate() {
            let text = if name.is_empty() { cell } else { format!("{name}: {cell}") };
            fold_line(out, &text, if at == 0 { ("", "  ") } else { ("  ", "    ") }, columns);
        }
    }
}

/// The cells of a row; `\|` is no border.
fn cells(row: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_escaped = false;
    for c in row.trim().trim_start_matches('|').chars() {
        if c == '|' && !is_escaped {
            cells.push(String::new());
        } else if let Some(cell) = cells.last_mut() {
            cell.push(c);
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    // After the last border.
    cells.pop();
    cells.into_iter().map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_folded_between_words_and_what_fits_or_is_code_stays_as_it_is() {
        for (text, folded) in [
            ("one two three", "one two\nthree"),
            ("one two\n", "one two\n"),
            ("- one two three", "- one two\n  three"),
            ("> one two three four", "> one two\n> three\n> four"),
            ("a-word-that-is-too-long b", "a-word-that-is-too-long\nb"),
            ("  an excerpt of a file\n  ^", "  an excerpt of a file\n  ^"),
            ("```\na command that is long\n```\nand words again", "```\na command that is long\n```\nand words\nagain"),
            ("", ""),
            ("\n\n", "\n\n"),
        ] {
            assert_eq!(fold(text, 9), folded, "{text}");
            assert_eq!(fold(text, 100), text);
        }
    }

    #[test]
    fn a_table_that_is_too_wide_becomes_a_list_and_loses_nothing() {
        let table = "| Of | Asked | |\n|---|---|---|\n| clinic GET /a\\|b | errors at most 2 % | holds |\n| mail | | not shown |\nend";
        assert_eq!(fold(table, 60), table);
        let folded = "Of: clinic GET /a\\|b\n  Asked: errors at\n    most 2 %\n  holds\n\nOf: mail\n  not shown\nend";
        assert_eq!(fold(table, 20), folded);
    }
}
