//! Reads an experiment's text. Every complaint comes at once, each under its own line and column; nothing is guessed, and one slip is one complaint.

use std::ops::Range;

use super::File;
use super::headers::{LISTS, Mistake, blank, is_a_list};
use crate::nearest::there_are;

/// Something wrong with the file, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// A lowercase fragment: what was found and what would do.
    pub what: String,
}

/// What reading gave: the file as far as it could be read, and everything wrong with its form.
#[derive(Debug)]
pub struct Reading {
    /// `None` where nothing could be made of it.
    pub file: Option<File>,
    /// What was wrong, in the order of the text.
    pub wrong: Vec<Wrong>,
}

/// No file has more to complain about than a person reads at once.
const MOST_COMPLAINTS: usize = 40;

/// More lines than this that are not TOML are one slip: the file is something else.
const MOST_BROKEN_LINES: usize = 5;

/// Whether a text is of load alone: it names the phase that only that has.
pub fn is_of_load(text: &str) -> bool {
    read(text).file.is_some_and(|file| file.phases.measured.is_some())
}

/// What the parser says of a key or a table that is there twice.
const DUPLICATE: &str = "duplicate key";

const EXAMPLE: &str = "an experiment is TOML, such as `systems = [\"clinic\"]`; `brownout schema` describes it";

/// Reads an experiment. After a complaint its lines are blanked and the rest is read again, so that all complaints come at once, each under its own place.
pub fn read(text: &str) -> Reading {
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Reading { file: None, wrong: vec![Wrong { span: 0..0, what: format!("the file is empty; {EXAMPLE}") }] };
    }
    let mut rest = text.to_owned();
    let mut wrong = Vec::new();
    let mut broken_lines = 0;
    while wrong.len() < MOST_COMPLAINTS {
        let error = match toml::from_str::<File>(&rest) {
            Ok(file) => return Reading { file: Some(file), wrong },
            Err(error) => error,
        };
        let (span, message) = (error.span().unwrap_or(0..0), error.message().trim());
        if message != DUPLICATE && rest.parse::<toml::Table>().is_err() {
            broken_lines += 1;
            if let Some(other) = other_language(text).or((broken_lines > MOST_BROKEN_LINES).then_some("not TOML")) {
                let first = wrong.first().map_or(span.start, |wrong: &Wrong| wrong.span.start);
                return Reading { file: None, wrong: vec![Wrong { span: first..first, what: format!("this is {other}; {EXAMPLE}") }] };
            }
        }
        if let Some(mistake) = Mistake::at(&rest, &span, message) {
            wrong.retain(|earlier| !mistake.is_at(text, &earlier.span));
            wrong.push(mistake.take_from(&mut rest));
            continue;
        }
        // A required key that is missing is a slip of its own only where its neighbours were not blanked.
        let fresh = !message.starts_with("missing field") || wrong.is_empty();
        if fresh {
            wrong.push(Wrong { span: span.clone(), what: plain(message, key_of(text, &span)) });
        }
        if !blank_lines(&mut rest, &span) {
            break;
        }
    }
    Reading { file: None, wrong }
}

/// What a text that is not TOML is, where it shows.
fn other_language(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let template = ["AWSTemplateFormatVersion", "AWS::Serverless", "\nResources:", "\"Resources\""].iter().any(|word| text.contains(word));
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_key = |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    let yaml = first == "---" || first.starts_with("- ") || first.split_once(':').is_some_and(|(key, _)| is_key(key));
    match (text.starts_with('{'), yaml) {
        (true, _) | (_, true) if template => Some("a template"),
        (true, _) => Some("JSON"),
        (_, true) => Some("YAML"),
        _ => None,
    }
}

/// The key whose value is at this place, or the place itself if that is a key.
fn key_of<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    let before = text.get(..span.start).unwrap_or_default().trim_end();
    let key = before.strip_suffix('=').map_or_else(|| text.get(span.clone()).unwrap_or_default(), str::trim_end);
    key.rsplit(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).next().unwrap_or_default()
}

/// The parser's message in plain words, with the right name where one is near.
fn plain(message: &str, key: &str) -> String {
    let message = message.replace('\n', ", ");
    if message == DUPLICATE {
        return format!("`{key}` is there twice; keep one");
    }
    if let Some(found) = message.strip_prefix("invalid type: ").and_then(|rest| rest.strip_suffix(", expected a sequence")) {
        let list = LISTS.into_iter().find(|list| list.rsplit('.').next() == Some(key));
        let one = found.split_once(' ').map_or(found, |(_, value)| value.trim_matches('`'));
        return list.map_or_else(|| format!("`{key}` is a list; write it in brackets: `[{one}]`"), is_a_list);
    }
    if let Some(found) = message.strip_suffix(", expected a string") {
        return format!("{found}, expected a text in quotes");
    }
    for (number, plain) in [
        ("u64", "a whole number, 0 or more"),
        ("u32", "a whole number, 0 or more"),
        ("u16", "a whole number, 0 or more"),
        ("f64", "a number"),
    ] {
        if let Some(found) = message.strip_suffix(&format!("expected {number}")) {
            return format!("{found}expected {plain}");
        }
    }
    if message.starts_with("unknown field `ledger-lag`") {
        return "`ledger-lag` is a setting of `[aws]`; write it there".to_owned();
    }
    let mut names = message.split('`').skip(1).step_by(2);
    match names.next().filter(|_| message.starts_with("unknown ")) {
        Some(wanted) => format!("there is no `{wanted}` here; {}", there_are(wanted, names, "`brownout schema` describes them")),
        None => message,
    }
}

/// The whole lines of a span.
pub(super) fn line_range(text: &str, span: &Range<usize>) -> Range<usize> {
    let end = span.end.max(span.start + 1).min(text.len());
    let start = text.get(..span.start.min(text.len())).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let end = text.get(end..).and_then(|after| after.find('\n')).map_or(text.len(), |at| end + at);
    start..end
}

fn lines<'a>(text: &'a str, span: &Range<usize>) -> &'a str {
    text.get(line_range(text, span)).unwrap_or_default()
}

/// Blanks the lines of a span, offsets kept; false where there was nothing left to blank. A table goes as a whole: without its header its settings
/// would be another table's.
fn blank_lines(text: &mut String, span: &Range<usize>) -> bool {
    let mut range = line_range(text, span);
    if lines(text, span).trim_start().starts_with('[') {
        let rest = text.get(range.end..).unwrap_or_default();
        range.end = rest.find("\n[").map_or(text.len(), |at| range.end + at);
    }
    let blanked = blank(text.get(range.clone()).unwrap_or_default());
    let changed = text.get(range.clone()).is_some_and(|old| old != blanked);
    if changed {
        text.replace_range(range, &blanked);
    }
    changed
}

/// Line and column, both from 1, of a place in a text; columns count characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

    #[test]
    fn every_slip_is_complained_about_at_once_under_its_own_column() {
        let text = "question = \"?\"\nseeed = 1\nsystems = [\"clinic\", \"klinik\"]\n[[fault]]\nfunction = \"authorizer\"\nshare = 1.5\nlatency = { time = \"300\" }\n";
        let reading = read(text);
        let places: Vec<_> = reading.wrong.iter().map(|w| line_and_column(text, w.span.start)).collect();
        assert!(places.contains(&(2, 1)), "{:?}", reading.wrong);
        assert!(places.contains(&(3, 22)), "{:?}", reading.wrong);
        assert!(places.contains(&(6, 9)), "{:?}", reading.wrong);
        assert!(places.iter().any(|(line, _)| *line == 7), "{:?}", reading.wrong);
    }

    #[test]
    fn what_is_not_toml_is_one_complaint_and_not_a_panic() {
        for text in ["[", "= 3", "\u{feff}\u{0}", "question = \"", "a.b.c = {"] {
            assert!(!read(text).wrong.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_file_in_another_language_is_one_complaint_that_names_it() {
        let yaml = "question: does it hold?\nsystems:\n  - clinic\nload:\n  clinic:\n    rate: 20/s\n".to_owned();
        let template = "AWSTemplateFormatVersion: '2010-09-09'\nTransform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: x\n";
        let prose = "once upon a time\nthere was a\nlong story\nof many lines\nand none of\nthem was TOML\nat all\n";
        for (text, says) in [
            (yaml.as_str(), "this is YAML"),
            (template, "this is a template"),
            ("{\"Resources\": {}}", "this is a template"),
            ("{\n  \"systems\": [\"clinic\"],\n  \"seed\": 1\n}\n", "this is JSON"),
            (prose, "this is not TOML"),
            ("", "the file is empty"),
            ("\u{feff} \r\n", "the file is empty"),
        ] {
            let reading = read(text);
            assert_eq!(reading.wrong.len(), 1, "{text}: {:?}", reading.wrong);
            assert!(
                reading.wrong[0].what.starts_with(says) && reading.wrong[0].what.contains("an experiment is TOML"),
                "{:?}",
                reading.wrong
            );
        }
    }

    #[test]
    fn a_slip_of_form_is_said_in_plain_words_with_what_would_do() {
        for (from, to, says) in [
            ("[[fault]]", "[fault]", "`fault` is a list of tables; write `[[fault]]`"),
            ("seed = 7", "fault = 40", "`fault` is a list of tables; write `[[fault]]`"),
            ("seed = 7", "seed = -1", "expected a whole number, 0 or more"),
            ("seed = 7", "sead = 7", "did you mean `seed`?"),
            ("seed = 7", "ledger-lag = \"30s\"", "is a setting of `[aws]`"),
            ("\"clinic\"]", "\"klinik\"]", "did you mean `clinic`?"),
        ] {
            let mut text = GOOD.replacen(from, to, 1);
            if to == "fault = 40" {
                text = text.replacen("[[fault]]", "[phasing]", 1);
            }
            let reading = read(&text);
            assert!(reading.wrong.iter().any(|wrong| wrong.what.contains(says)), "{to}: {:?}", reading.wrong);
        }
    }

    /// Every setting with a unit: where it is, with `@` for its value, what it is, and what `5` in
    /// its place should be.
    const WITH_UNIT: [(&str, &str, &str); 26] = [
        ("[phases]\nwarm-up = @\n", "a time", "5s"),
        ("[phases]\nbaseline = @\n", "a time", "5s"),
        ("[phases]\nfault = @\n", "a time", "5s"),
        ("[phases]\nrecovery = @\n", "a time", "5s"),
        ("[phases]\nlease = @\n", "a time", "5s"),
        ("[load]\nlongest-journey = @\n", "a time", "5s"),
        ("[load]\nclinic = { rate = @ }\n", "a rate", "5/s"),
        ("[load.audit]\nrate = \"1/s\"\nlargest = @\n", "a size", "5KiB"),
        ("[[load.requests]]\nof = \"shop GET /\"\nurl = \"http://x/\"\nrate = @\n", "a rate", "5/s"),
        ("[stack]\nauthorizer-cache = @\n", "a time", "5s"),
        ("[stack]\ncompressed-time = { queues = @ }\n", "a factor", "5x"),
        ("[stack]\ncompressed-time = { expiry = @ }\n", "a factor", "5x"),
        ("[aws]\nlayer = \"l\"\nledger-lag = @\n", "a time", "5s"),
        ("[aws]\nlayer = \"l\"\nfis-lead = @\n", "a time", "5s"),
        ("[aws]\nlayer = \"l\"\n[[aws.function]]\narn = \"a\"\nrole = \"r\"\ntimeout = @\n", "a time", "5s"),
        ("[[fault]]\nfunction = \"f\"\nfrom = @\n", "a time", "5s"),
        ("[[fault]]\nfunction = \"f\"\nlatency = { time = @ }\n", "a time", "5s"),
        ("[[fault]]\nfunction = \"f\"\nresource = { cpu-threads = 1, time = @ }\n", "a time", "5s"),
        ("[[fault]]\nfunction = \"f\"\nstream = { first-byte = @ }\n", "a time", "5s"),
        ("[[expect]]\nof = \"x\"\np50 = @\n", "a bound", "<= 5s"),
        ("[[expect]]\nof = \"x\"\np90 = @\n", "a bound", "<= 5s"),
        ("[[expect]]\nof = \"x\"\np99-ratio = @\n", "a ratio", "<= 5x"),
        ("[[expect]]\nof = \"x\"\nerrors = @\n", "a bound", "<= 5%"),
        ("[[expect]]\nof = \"x\"\nrecovery = @\n", "a bound", "<= 5s"),
        ("[stop]\nerrors = @\n", "a stop condition", "> 5% for 5s"),
        ("[[fault]]\nfunction = \"f\"\nshare = @\n", "a share", "0.05"),
    ];

    #[test]
    fn a_value_without_its_unit_is_one_complaint_at_its_place_that_says_what_to_write() {
        for (with, what, five) in WITH_UNIT {
            for (value, found) in [("5", "`5`"), ("true", "`true`"), ("[5]", "a list"), ("{ a = 5 }", "a table")] {
                let text = format!("seed = 1\n{}", with.replace('@', value));
                let wrong = read(&text).wrong;
                assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
                let (line, column) = line_and_column(&text, wrong[0].span.start);
                let (before, _) = text.split_once(&format!("{value}{}", if with.contains("@ }") { " }" } else { "\n" })).unwrap();
                assert_eq!((line, column), line_and_column(&text, before.len()), "{text}: {wrong:?}");
                let says = &wrong[0].what;
                assert!(says.starts_with(&format!("{found} is not {what}; write ")), "{text}: {says}");
                assert!(value != "5" || says.contains(five), "{text}: {says}");
                // What it says to write is read.
                let written = says.split('`').rfind(|part| !part.is_empty()).unwrap();
                let mended = read(&text.replace(&format!("= {value}"), &format!("= {written}"))).wrong;
                assert_eq!(mended, [], "{text}: {written}");
            }
        }
    }

    #[test]
    fn a_single_value_for_a_list_and_a_number_for_a_text_say_how_to_write_them() {
        for (with, says) in [
            ("systems = \"clinic\"\n", "`systems` is a list; write it in brackets: `[\"clinic\"]`"),
            ("[stack]\nweaknesses = \"x\"\n", "`weaknesses` is a list; write it in brackets: `[\"x\"]`"),
            ("[load]\ninactive-users = { rate = \"1/s\", cohorts = 5 }\n", "`cohorts` is a list; write it in brackets: `[5]`"),
            ("[load]\nrequests = 5\n", "`load.requests` is a list of tables; write `[[load.requests]]`"),
            ("expect = \"x\"\n", "`expect` is a list of tables; write `[[expect]]`"),
            ("question = 5\n", "integer `5`, expected a text in quotes"),
            ("[[fault]]\nfunction = true\n", "boolean `true`, expected a text in quotes"),
            ("[[fault]]\nfunction = \"f\"\ntimeout = { share-of-deadline = \"1\" }\n", "expected a number"),
            ("seed = 1\nseed = 2\n", "`seed` is there twice; keep one"),
            ("[stop]\n[stop]\n", "`stop` is there twice; keep one"),
        ] {
            let wrong = read(with).wrong;
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{with}: {wrong:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_and_line_ends_of_windows_are_read() {
        let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
        let reading = read(&text);
        assert_eq!(reading.wrong, []);
        assert_eq!(reading.file.unwrap().systems.len(), 2);
        let wrong = read(&text.replacen("seed = 7", "sead = 7", 1)).wrong;
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!(line_and_column(&text, wrong[0].span.start), (5, 1));
    }
}
