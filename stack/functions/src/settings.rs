//! Reads a function's environment variables once, at init, and reports everything that is missing
//! at once. It must never turn a missing or unknown setting into a default.

use crate::weaknesses::{UnknownWeakness, Weakness, Weaknesses};
use thiserror::Error;

/// Why a function cannot start.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("cannot start: {}", .complaints.join("; "))]
pub struct SettingsError {
    complaints: Vec<String>,
}

/// The lookup for [`Reader`] that a deployed function uses.
pub fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Collects settings and complaints.
pub struct Reader<L> {
    lookup: L,
    complaints: Vec<String>,
}

impl<L: Fn(&str) -> Option<String>> Reader<L> {
    /// A reader of the variables that `lookup` knows.
    pub fn new(lookup: L) -> Self {
        Self { lookup, complaints: Vec::new() }
    }

    /// A variable that must exist and not be empty.
    pub fn required(&mut self, name: &str) -> String {
        match (self.lookup)(name).filter(|value| !value.trim().is_empty()) {
            Some(value) => value,
            None => {
                self.complaints.push(format!("`{name}` is missing; set this environment variable"));
                String::new()
            }
        }
    }

    /// A variable that must hold a whole number of at least `least`.
    pub fn number(&mut self, name: &str, least: u32) -> u32 {
        let text = self.required(name);
        match text.trim().parse() {
            Ok(number) if number >= least => return number,
            _ if text.is_empty() => {}
            _ => self.complaints.push(format!("`{name}` is `{text}`; set it to a whole number, at least {least}")),
        }
        least
    }

    /// A variable that `parse` accepts; `expected` describes a valid value. The actual value is
    /// never shown, because it may be a secret.
    pub fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.required(name);
        let parsed = parse(text.trim()).filter(|_| !text.is_empty());
        if parsed.is_none() && !text.is_empty() {
            self.complaints.push(format!("`{name}` is not understood; set it to {expected}"));
        }
        parsed
    }

    /// The weaknesses that `WEAKNESSES` switches on; the variable must exist, and empty means no
    /// weakness.
    pub fn weaknesses<W: Weakness>(&mut self) -> Weaknesses<W> {
        let Some(text) = (self.lookup)("WEAKNESSES") else {
            self.complaints.push("`WEAKNESSES` is missing; set it, empty for none".to_owned());
            return Weaknesses::none();
        };
        Weaknesses::parse(&text).unwrap_or_else(|UnknownWeakness { message }| {
            self.complaints.push(message);
            Weaknesses::none()
        })
    }

    /// Returns `settings` if there are no complaints.
    ///
    /// # Errors
    /// All complaints at once.
    pub fn finish<S>(self, settings: S) -> Result<S, SettingsError> {
        if self.complaints.is_empty() { Ok(settings) } else { Err(SettingsError { complaints: self.complaints }) }
    }

    /// Builds the settings from a value of [`Self::parsed`] if there are no complaints.
    ///
    /// # Errors
    /// All complaints at once.
    pub fn finish_with<T, S>(self, parsed: Option<T>, settings: impl FnOnce(T) -> S) -> Result<S, SettingsError> {
        match parsed {
            Some(value) if self.complaints.is_empty() => Ok(settings(value)),
            _ => Err(SettingsError { complaints: self.complaints }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weaknesses::tests::Sloth;

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let mut reader = Reader::new(|name: &str| (name == "WEAKNESSES").then(|| "laziness".to_owned()));
        reader.required("TABLE_NAME");
        reader.required("ISSUER");
        let _: Weaknesses<Sloth> = reader.weaknesses();
        let message = reader.finish(()).expect_err("three complaints").to_string();
        for name in ["TABLE_NAME", "ISSUER", "laziness", "never"] {
            assert!(message.contains(name), "{name} is not in: {message}");
        }
    }

    #[test]
    fn a_number_is_a_whole_one_and_not_too_small() {
        for (text, good) in [("0", false), ("1", true), (" 25 ", true), ("-1", false), ("1.5", false), ("many", false), ("", false)] {
            let mut reader = Reader::new(|_: &str| Some(text.to_owned()));
            reader.number("DISABLES_A_SECOND", 1);
            let finished = reader.finish(());
            assert_eq!(finished.is_ok(), good, "{text}: {finished:?}");
            assert!(good || finished.is_err_and(|error| error.to_string().matches("DISABLES_A_SECOND").count() == 1), "{text}");
        }
    }

    #[test]
    fn an_invalid_value_is_named_and_never_shown() {
        for (text, good, said) in [("7", true, ""), ("secret", false, "set it to a digit"), ("", false, "is missing")] {
            let mut reader = Reader::new(|_: &str| Some(text.to_owned()));
            let digit = reader.parsed("DIGIT", "a digit", |text| text.parse::<u8>().ok());
            let finished = reader.finish_with(digit, |digit| digit);
            assert_eq!(finished.as_ref().ok(), good.then_some(&7), "{text}");
            let message = finished.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(message.contains(said) && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_missing() {
        let mut reader = Reader::new(|_: &str| Some(" ".to_owned()));
        reader.required("CLIENT_ID");
        assert!(reader.finish(()).is_err());
    }
}
