//! Texts with values to be filled in: `{{name}}`, `{{uuid}}`, `{{now}}`, `{{int 1 9}}`,
//! `{{env NAME}}`. The language is closed: a text is understood before anything is sent, and no code
//! is run.

use std::collections::BTreeMap;
use std::time::SystemTime;

use load::chance::Chance;

/// How the name of a value begins that is taken from the body of the request: a JSON pointer follows.
pub const SENT: &str = "sent ";

/// A text, understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A column of the data, or what an earlier answer gave.
    Value(String),
    Uuid,
    /// The time of sending, such as `2026-11-29T12:00:00Z`.
    Now,
    /// A whole number, both bounds included.
    Int(i64, i64),
}

/// Why a text is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// `{{` without `}}`.
    #[error("`{{{{` is not closed in `{0}`; write `}}}}` after the name")]
    Open(String),
    /// An unknown word, or wrong arguments.
    #[error(
        "`{{{{{0}}}}}` is not understood; there are `{{{{name}}}}`, `{{{{uuid}}}}`, `{{{{now}}}}`, `{{{{int 1 9}}}}`, `{{{{env NAME}}}}`"
    )]
    Unknown(String),
    /// A variable that is not set.
    #[error("the environment variable `{0}` is not set")]
    Unset(String),
    /// The lower bound is above the upper one.
    #[error("`{{{{int {0} {1}}}}}` has no number: the first bound is the lower one")]
    NoNumber(i64, i64),
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(text) => f.write_str(text),
            Part::Value(name) => write!(f, "{{{{{name}}}}}"),
            Part::Uuid => f.write_str("{{uuid}}"),
            Part::Now => f.write_str("{{now}}"),
            Part::Int(from, to) => write!(f, "{{{{int {from} {to}}}}}"),
        })
    }
}

impl Text {
    /// Understands a text; `environment` looks up variables.
    ///
    /// # Errors
    /// Says what is not understood.
    pub fn read(text: &str, mut environment: impl FnMut(&str) -> Option<String>) -> Result<Self, TextError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (inside, after) = after.split_once("}}").ok_or_else(|| TextError::Open(text.to_owned()))?;
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            parts.push(part(inside.trim(), &mut environment)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self(parts))
    }

    /// A text without anything to fill in.
    pub fn literal(text: impl Into<String>) -> Self {
        Self(vec![Part::Literal(text.into())])
    }

    /// The names of the values that it needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| if let Part::Value(name) = part { Some(name.as_str()) } else { None })
    }

    /// Whether it is the same each time it is filled in with the same values.
    pub fn is_fixed(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Literal(_) | Part::Value(_)))
    }

    /// Whether it is a number and nothing else, which JSON writes without quotes.
    pub fn is_number(&self) -> bool {
        matches!(self.0.as_slice(), [Part::Int(..)])
    }

    /// The text, filled in; a value that is missing is empty, which a check has excluded.
    pub fn filled(&self, values: &BTreeMap<String, String>, chance: &mut Chance) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Value(name) => out.push_str(values.get(name).map(String::as_str).unwrap_or_default()),
                Part::Uuid => out.push_str(&faults::uuid(chance.number(), chance.number())),
                Part::Now => out.push_str(&dates::milliseconds(SystemTime::now())),
                Part::Int(from, to) => out.push_str(&between(*from, *to, chance).to_string()),
            }
        }
        out
    }
}

fn part(inside: &str, environment: &mut impl FnMut(&str) -> Option<String>) -> Result<Part, TextError> {
    let unknown = || TextError::Unknown(inside.to_owned());
    let words: Vec<&str> = inside.split_whitespace().collect();
    match words.as_slice() {
        ["uuid"] => Ok(Part::Uuid),
        ["now"] => Ok(Part::Now),
        ["int", from, to] => match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if from <= to => Ok(Part::Int(from, to)),
            (Ok(from), Ok(to)) => Err(TextError::NoNumber(from, to)),
            _ => Err(unknown()),
        },
        ["env", name] => environment(name).map(Part::Literal).ok_or_else(|| TextError::Unset((*name).to_owned())),
        // Of the request's own body; only rules know such values.
        ["sent", pointer] if pointer.starts_with('/') => Ok(Part::Value(format!("{SENT}{pointer}"))),
        [name] if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) => Ok(Part::Value((*name).to_owned())),
        _ => Err(unknown()),
    }
}

fn between(from: i64, to: i64, chance: &mut Chance) -> i64 {
    let span = (i128::from(to) - i128::from(from) + 1).unsigned_abs();
    let drawn = i128::from(chance.number()) % i128::try_from(span).unwrap_or(i128::MAX);
    i64::try_from(i128::from(from) + drawn).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Text, TextError> {
        Text::read(text, |name| (name == "TOKEN").then(|| "secret".to_owned()))
    }

    #[test]
    fn values_are_filled_in() {
        let values = [("id".to_owned(), "7".to_owned())].into();
        for (text, filled) in [
            ("/orders/{{id}}", "/orders/7"),
            ("/orders/{{ id }}?a={{id}}", "/orders/7?a=7"),
            ("Bearer {{env TOKEN}}", "Bearer secret"),
            ("{{int 3 3}}", "3"),
            ("{{int -4 -4}}!", "-4!"),
            ("}} { }", "}} { }"),
            ("", ""),
        ] {
            assert_eq!(read(text).unwrap().filled(&values, &mut Chance::new(&[1])), filled, "{text}");
        }
        assert!(read("{{int 1 2}}").unwrap().is_number() && !read("{{int 1 2}} ").unwrap().is_number());
        assert_eq!(read("{{a}}/{{uuid}}/{{b}}").unwrap().names().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn what_is_made_up_is_repeatable_and_within_its_bounds() {
        let text = read("{{uuid}} {{int 1 9}} {{int -9223372036854775808 9223372036854775807}}").unwrap();
        let filled = |seed| text.filled(&BTreeMap::new(), &mut Chance::new(&[seed]));
        assert_eq!(filled(1), filled(1));
        assert_ne!(filled(1), filled(2));
        for seed in 0..1000 {
            let filled = filled(seed);
            let words: Vec<&str> = filled.split(' ').collect();
            assert!(words[0].len() == 36 && words[0].as_bytes()[14] == b'4', "{filled}");
            assert!((1..=9).contains(&words[1].parse::<i64>().unwrap()) && words[2].parse::<i64>().is_ok(), "{filled}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, error) in [
            ("{{id", TextError::Open("{{id".into())),
            ("{{}}", TextError::Unknown("".into())),
            ("{{int 1}}", TextError::Unknown("int 1".into())),
            ("{{int a b}}", TextError::Unknown("int a b".into())),
            ("{{int 2 1}}", TextError::NoNumber(2, 1)),
            ("{{exec ls}}", TextError::Unknown("exec ls".into())),
            ("{{$x}}", TextError::Unknown("$x".into())),
            ("{{env NONE}}", TextError::Unset("NONE".into())),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
