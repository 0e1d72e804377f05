//! A value as it was found in a file, for types that are written as text with a unit: whatever is
//! found instead, the error says what to write.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A text, which may be right.
    Text(String),
    /// A bare number.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// A list.
    List,
    /// A table, or a date.
    Table,
}

impl Found {
    /// Reads a text. A bare number is refused with the text that was probably meant, which
    /// `with_unit` makes of it; everything else, and a number that fits nothing, with `example`.
    ///
    /// # Errors
    /// What was found, why it is not `what`, and what to write.
    pub fn read<T: FromStr<Err = String>>(self, what: &str, example: &str, with_unit: impl Fn(f64) -> String) -> Result<T, String> {
        let meant = match &self {
            Self::Text(text) => return text.parse(),
            Self::Number(number) => Some(with_unit(*number)).filter(|text| text.parse::<T>().is_ok()),
            Self::Truth(_) | Self::List | Self::Table => None,
        };
        Err(match meant {
            Some(meant) => format!("{self} is not {what}; write `\"{meant}\"`"),
            None => format!("{self} is not {what}; write for example `\"{example}\"`"),
        })
    }
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Number(number) => write!(f, "`{number}`"),
            Self::Truth(truth) => write!(f, "`{truth}`"),
            Self::List => f.write_str("a list"),
            Self::Table => f.write_str("a table"),
        }
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Found;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        Ok(Found::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Found, E> {
        Ok(Found::Text(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Found, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Found, E> {
        Ok(Found::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Found, E> {
        Ok(Found::Number(number))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Found, E> {
        Ok(Found::Truth(truth))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Found, A::Error> {
        while table.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::Table)
    }
}
