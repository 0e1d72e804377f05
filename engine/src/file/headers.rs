//! Headers that a file cannot have: a table that does not exist, single brackets where double ones
//! are meant, or the other way round. However many headers repeat it, it is one mistake.

use std::ops::Range;

use super::reading::{Wrong, line_range};
use crate::nearest::{nearest, there_are};

/// The lists of tables: each entry has its own header, in double brackets.
pub(super) const LISTS: [&str; 10] = [
    "fault",
    "expect",
    "load.requests",
    "load.requests.stages",
    "aws.function",
    "aws.alarm",
    "journey",
    "journey.request",
    "journey.stages",
    "rule",
];

/// Settings beside tables: they have no header.
const PLAIN: [&str; 7] = ["question", "systems", "seed", "arrivals", "longest-journey", "weaknesses", "authorizer-cache"];

/// The header of a table.
#[derive(Debug, Clone, Copy)]
struct Header<'a> {
    path: &'a str,
    is_list: bool,
}

impl<'a> Header<'a> {
    /// Reads a line; `None` if it is not a header.
    fn of(line: &'a str) -> Option<Self> {
        let inner = line.trim_start().strip_prefix('[')?;
        let (inner, is_list) = inner.strip_prefix('[').map_or((inner, false), |inner| (inner, true));
        let (path, _) = inner.split_once(']')?;
        let is_key = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
        path.trim().split('.').all(is_key).then_some(Self { path: path.trim(), is_list })
    }

    fn is_below(self, path: &str) -> bool {
        self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// A mistake in one or more headers.
pub(super) struct Mistake {
    what: String,
    path: String,
    /// Which headers of this path; all if `None`.
    is_list: Option<bool>,
}

impl Mistake {
    /// The mistake in the header at the place of the parser's error; `None` if the error is not
    /// about a header.
    pub(super) fn at(text: &str, span: &Range<usize>, message: &str) -> Option<Self> {
        let line = line_range(text, span);
        // In a table that should be no list, any of its lines may be what the parser trips over.
        let above =
            || text.get(..line.start)?.lines().rev().find_map(Header::of).filter(|above| above.is_list && !LISTS.contains(&above.path));
        let header = Header::of(text.get(line.clone())?).or_else(above)?;
        let path = header.path;
        let of = |what: String, is_list| Some(Self { what, path: path.to_owned(), is_list: Some(is_list) });
        let is_single = |line: &str| Header::of(line).is_some_and(|other| other.path == path && !other.is_list);
        if message.starts_with("unknown field") {
            Self::unknown(header, message)
        } else if !LISTS.contains(&path) {
            header.is_list.then(|| of(format!("`{path}` is one table; write `[{path}]`"), true)).flatten()
        } else {
            text.lines().any(is_single).then(|| of(is_a_list(path), false)).flatten()
        }
    }

    fn unknown(header: Header<'_>, message: &str) -> Option<Self> {
        let mut names = message.split('`').skip(1).step_by(2);
        let wanted = names.next()?;
        let names: Vec<&str> = names.collect();
        let parts: Vec<&str> = header.path.split('.').collect();
        let at = parts.iter().position(|part| *part == wanted)?;
        let path = parts.get(..=at)?.join(".");
        let right = |name: &str| {
            let right = parts.iter().take(at).copied().chain([name]).collect::<Vec<_>>().join(".");
            match name {
                _ if LISTS.contains(&right.as_str()) => format!("[[{right}]]"),
                _ if PLAIN.contains(&name) => right,
                _ => format!("[{right}]"),
            }
        };
        let hint = match nearest(wanted, names.iter().copied()) {
            Some(name) => format!("did you mean `{}`?", right(name)),
            None => {
                let tables: Vec<String> = names.iter().filter(|name| !PLAIN.contains(name)).map(|name| right(name)).collect();
                there_are(wanted, tables.iter().map(String::as_str), "`brownout schema` describes them")
            }
        };
        Some(Self { what: format!("there is no table `{path}`; {hint}"), path, is_list: None })
    }

    /// Whether a complaint at this place is about the same headers.
    pub(super) fn is_at(&self, text: &str, span: &Range<usize>) -> bool {
        text.get(line_range(text, span)).and_then(Header::of).is_some_and(|header| self.has(header))
    }

    fn has(&self, header: Header<'_>) -> bool {
        match self.is_list {
            None => header.path == self.path || header.is_below(&self.path),
            Some(is_list) => header.path == self.path && header.is_list == is_list,
        }
    }

    /// The complaint, at the first header that has the mistake; blanks all tables that have it,
    /// with the tables below them.
    pub(super) fn take_from(self, text: &mut String) -> Wrong {
        let mut first = None;
        let mut is_blank = false;
        let (mut at, mut kept) = (0, String::with_capacity(text.len()));
        for line in text.split_inclusive('\n') {
            if let Some(header) = Header::of(line) {
                is_blank = self.has(header) || is_blank && header.is_below(&self.path);
                if is_blank && first.is_none() {
                    let start = at + line.len() - line.trim_start().len();
                    first = Some(start..start + line.trim().len());
                }
            }
            at += line.len();
            if is_blank { kept.push_str(&blank(line)) } else { kept.push_str(line) }
        }
        *text = kept;
        Wrong { span: first.unwrap_or(0..0), what: self.what }
    }
}

/// What a list of tables needs.
pub(super) fn is_a_list(path: &str) -> String {
    format!("`{path}` is a list of tables; write `[[{path}]]` and its settings below")
}

/// A text as blank as it is long, in bytes.
pub(super) fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::nearest::nearest;

    const AWS: &str = "question = \"?\"\n[aws]\nlayer = \"l\"\n[[aws.function]]\narn = \"a\"\nrole = \"r\"\n[[aws.function]]\narn = \"b\"\nrole = \"r\"\n\
        [[load.requests]]\nof = \"shop GET /\"\nurl = \"https://x/\"\nrate = \"1/s\"\n[phases]\nfault = \"9s\"\n[stop]\nerrors = \"> 50% for 5s\"\n\
        [[fault]]\nfunction = \"a\"\n[fault.latency]\ntime = \"1s\"\n[[fault]]\nfunction = \"b\"\nerror = {}\n\
        [[expect]]\nof = \"shop GET /\"\np50 = \"<= 1s\"\n[[expect]]\nof = \"shop GET /\"\np90 = \"<= 1s\"\n[expect-invariants]\nnone-broken = false\n";

    /// One complaint at the first header that is wrong, which says what to write.
    #[track_caller]
    fn one(text: &str, at: &str, says: &str) {
        let wrong = read(text).wrong;
        assert_eq!(wrong.len(), 1, "{at}: {wrong:?}");
        assert!(wrong[0].what.contains(says), "{at}: {wrong:?}");
        assert_eq!(wrong[0].span.start, text.find(at).unwrap(), "{at}: {wrong:?}");
    }

    #[test]
    fn a_mistyped_header_is_one_complaint_however_often_it_comes() {
        assert_eq!(read(AWS).wrong, []);
        for (right, typos) in [
            ("[aws]", &["[awz]", "[aw]", "[AWS]", "[aws1]"][..]),
            ("[[aws.function]]", &["[[aws.functions]]", "[[aws.fucntion]]", "[[aws.func]]"]),
            ("[[load.requests]]", &["[[load.request]]", "[[load.requsts]]"]),
            ("[phases]", &["[phase]", "[fases]", "[[phase]]"]),
            ("[stop]", &["[stopp]", "[stp]"]),
            ("[[fault]]", &["[[faults]]", "[[falt]]", "[fautl]"]),
            ("[[expect]]", &["[[expects]]", "[[exepct]]", "[expct]"]),
            ("[expect-invariants]", &["[expect-invariant]", "[expect_invariants]"]),
            ("[fault.latency]", &["[fault.latencies]", "[fault.latnecy]", "[fault.Latency]"]),
        ] {
            for typo in typos {
                let path = right.trim_matches(['[', ']']);
                let wrong = typo.trim_matches(['[', ']']);
                let mut text = AWS.replace(right, typo);
                // What is below it has its name too.
                text = text.replace(&format!("[{path}."), &format!("[{wrong}."));
                one(&text, typo, &format!("there is no table `{wrong}`; did you mean `{right}`?"));
            }
        }
        assert_eq!(nearest("weather", ["aws", "stop"]), None);
        one(&AWS.replace("[stop]", "[weather]"), "[weather]", "there is no table `weather`; there are 10, such as `[phases]`, `[load]`");
        one(&AWS.replacen("[phases]", "[system]\n[phases]", 1), "[system]", "did you mean `systems`?");
    }

    #[test]
    fn single_brackets_for_double_ones_are_one_complaint_however_often_they_come() {
        let is_elsewhere = |list: &str| ["aws.alarm", "rule"].contains(&list) || list.starts_with("journey") || list.ends_with(".stages");
        for list in super::LISTS.into_iter().filter(|list| !is_elsewhere(list)) {
            let (right, single) = (format!("[[{list}]]"), format!("[{list}]"));
            let says = format!("`{list}` is a list of tables; write `[[{list}]]`");
            one(&AWS.replace(&right, &single), &single, &says);
            // The first alone, and the last alone.
            one(&AWS.replacen(&right, &single, 1), &single, &says);
            let (before, after) = AWS.rsplit_once(&right).unwrap();
            let text = format!("{before}{single}{after}");
            assert_eq!(read(&text).wrong.len(), 1, "{:?}", read(&text).wrong);
            assert!(read(&text).wrong[0].what.contains(&says), "{:?}", read(&text).wrong);
        }
    }

    #[test]
    fn double_brackets_for_single_ones_are_one_complaint() {
        for table in ["aws", "phases", "stop", "expect-invariants", "fault.latency"] {
            let (right, double) = (format!("[{table}]"), format!("[[{table}]]"));
            let text = AWS.replace(&right, &double);
            let wrong = read(&text).wrong;
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert_eq!(wrong[0].what, format!("`{table}` is one table; write `{right}`"));
        }
    }
}
