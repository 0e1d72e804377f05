//! Findings that are known: a file that names each with a reason and a date, so that CI fails on new ones
//! only.

use std::collections::BTreeSet;

use reports::explored::{Accepted, Finding};
use serde::Deserialize;
use toml::Spanned;

use crate::file::line_and_column;

/// What the file accepts.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcceptFile {
    #[serde(default)]
    accept: Vec<Spanned<Entry>>,
}

/// A finding that is accepted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The rule's id.
    rule: String,
    /// The place, as the matrix shows it.
    place: String,
    /// Why.
    reason: String,
    /// Since when: `2026-01-31`.
    date: String,
}

impl AcceptFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong, each with its line and the fix.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!("{}: {}; an entry is `[[accept]]` with `rule`, `place`, `reason` and `date`", place(text, at), error.message())]
        })?;
        let wrong: Vec<_> = file.accept.iter().flat_map(|entry| complaints(text, entry)).collect();
        if wrong.is_empty() { Ok(file) } else { Err(wrong) }
    }

    /// Marks the findings that it accepts; returns the entries that accept none, in words.
    pub fn mark(&self, findings: &mut [Finding]) -> Vec<String> {
        let mut used = BTreeSet::new();
        for found in findings {
            let accepts = |(_, entry): &(usize, &Entry)| entry.rule == found.rule && Some(&entry.place) == found.place.as_ref();
            if let Some((index, entry)) = self.entries().enumerate().find(accepts) {
                used.insert(index);
                found.accepted = Some(Accepted { reason: entry.reason.clone(), date: entry.date.clone() });
            }
        }
        let unused = self.entries().enumerate().filter(|(index, _)| !used.contains(index));
        unused
            .map(|(_, entry)| format!("`{}` at `{}` is accepted and was not found; remove it if it is mended", entry.rule, entry.place))
            .collect()
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.accept.iter().map(Spanned::get_ref)
    }
}

fn place(text: &str, at: usize) -> String {
    let (line, column) = line_and_column(text, at);
    format!("{line}:{column}")
}

fn complaints(text: &str, entry: &Spanned<Entry>) -> Vec<String> {
    let at = place(text, entry.span().start);
    let Entry { rule, place, reason, date } = entry.get_ref();
    let empty = [("rule", rule), ("place", place), ("reason", reason)].into_iter().filter(|(_, value)| value.trim().is_empty());
    let empty = empty.map(|(name, _)| format!("{at}: `{name}` is empty; say it"));
    let bad_date = (!is_date(date)).then(|| format!("{at}: `{date}` is not a date; write for example `2026-01-31`"));
    empty.chain(bad_date).collect()
}

/// `2026-01-31`; whether the month has that day is not checked.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, length: usize| (text.len() == length).then(|| text.parse::<u32>().ok()).flatten();
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[[accept]]\nrule = \"T-2\"\nplace = \"buy place: worker\"\nreason = \"mended in March\"\ndate = \"2026-01-31\"\n";

    fn finding(rule: &str, place: Option<&str>) -> Finding {
        Finding {
            number: 1,
            rule: rule.into(),
            text: String::new(),
            place: place.map(Into::into),
            ways: Vec::new(),
            asked: String::new(),
            answered: String::new(),
            expected: String::new(),
            repeat: String::new(),
            root: String::new(),
            command: String::new(),
            experiment: Err(String::new()),
            accepted: None,
        }
    }

    #[test]
    fn only_the_same_rule_at_the_same_place_is_accepted() {
        let file = AcceptFile::read(GOOD).unwrap();
        for (rule, place, accepted) in [
            ("T-2", Some("buy place: worker"), true),
            ("T-1", Some("buy place: worker"), false),
            ("T-2", Some("buy place: other"), false),
            ("T-2", None, false),
        ] {
            let mut findings = [finding(rule, place)];
            let unused = file.mark(&mut findings);
            assert_eq!((findings[0].accepted.is_some(), unused.is_empty()), (accepted, accepted), "{rule} {place:?}");
        }
        assert!(AcceptFile::read("").unwrap().mark(&mut [finding("T-2", None)]).is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (from, to, says) in [
            ("2026-01-31", "January", "1:1: `January` is not a date"),
            ("2026-01-31", "2026-13-01", "is not a date"),
            ("mended in March", " ", "`reason` is empty"),
            ("rule", "rules", "unknown field `rules`"),
            ("[[accept]]", "[[accept", "an entry is"),
        ] {
            let wrong = AcceptFile::read(&GOOD.replacen(from, to, 1)).unwrap_err().join("\n");
            assert!(wrong.contains(says), "{to}: {wrong}");
        }
    }
}
