//! The comparison of two runs as Markdown, for a terminal, a pull request or a job's summary.

use std::fmt::Write as _;

use crate::between::Comparison;
use crate::formats::summary_md::cell;

/// The page.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = format!("# {}\n\n{}\n", comparison.verdict.name().replace('-', " "), cell(&comparison.sentence));
    if !comparison.rows.is_empty() {
        out.push_str("\n| Of | Phase | | First | Second | Change | 95 % interval | Answer |\n|---|---|---|---|---|---|---|---|\n");
    }
    for row in &comparison.rows {
        let answer = if row.why.is_empty() { row.answer.words().to_owned() } else { format!("{} ({})", row.answer.words(), row.why) };
        let cells =
            [&row.endpoint, comparison.kind.phase(row.phase), &row.what, &row.before, &row.after, &row.change, &row.interval, &answer];
        let _ = writeln!(out, "| {} |", cells.map(cell).join(" | "));
    }
    if !comparison.notes.is_empty() {
        out.push('\n');
    }
    for note in &comparison.notes {
        let _ = writeln!(out, "- {}", cell(note));
    }
    out
}
