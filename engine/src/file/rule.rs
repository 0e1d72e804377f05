//! A rule as it was written: what must be at a place after an answer, what must never be there, and
//! which queue must drain.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use faults::time::Time;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

/// A rule about what your own stack does besides answering. It has one of `then`, `never` and `drains`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleEntry {
    /// Its name in reports, such as `an accepted order is stored once`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// After which answers: a journey's request and its statuses, such as `buy.place = 2xx` or `buy.place = 200, 201`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub when: Option<Spanned<String>>,
    /// What there must be then.
    #[serde(default)]
    #[schemars(with = "Option<EffectEntry>")]
    pub then: Option<Spanned<EffectEntry>>,
    /// What there must not be: then, or without `when` at any time.
    #[serde(default)]
    #[schemars(with = "Option<EffectEntry>")]
    pub never: Option<Spanned<EffectEntry>>,
    /// The queue that each message must leave in time.
    #[serde(default)]
    #[schemars(with = "Option<DrainsEntry>")]
    pub drains: Option<Spanned<DrainsEntry>>,
}

/// Things at one place of the template, by its logical id. Texts may have values: `{{name}}` of a column or of what was kept up to that answer, and
/// `{{sent /pointer}}` of the JSON body that was sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EffectEntry {
    /// Rows of this table.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub table: Option<Spanned<String>>,
    /// Objects of this bucket.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub bucket: Option<Spanned<String>>,
    /// Messages that are sent to this queue, or moved there.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub queue: Option<Spanned<String>>,
    /// What is published to this topic.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub topic: Option<Spanned<String>>,
    /// Invocations of this function.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub function: Option<Spanned<String>>,
    /// Executions of this state machine; its `status` and `error` can be compared once it has ended.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub machine: Option<Spanned<String>>,
    /// Mail to this address; its `from` and `subject` can be compared.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub email_to: Option<Spanned<String>>,
    /// The key of the object; of a row the partition key, or a table with the attributes of the key.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Value>")]
    pub key: Option<Spanned<KeyEntry>>,
    /// A text that occurs in the message, event, input or mail as a whole word.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub about: Option<Spanned<String>>,
    /// What fields are like: attributes of a row, such as `{ state = "SHIPPED" }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub equals: BTreeMap<String, Spanned<toml::Value>>,
    /// How often: `1` is exactly once, others are `"at least 2"` and `"at most 3"`. Unless it is given, it must be there, however often it was stored or sent.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub times: Option<Spanned<TimesEntry>>,
    /// How long after the answer; 10s unless it is given, at most 3m.
    #[serde(default)]
    #[schemars(with = "Option<Time>")]
    pub within: Option<Spanned<Time>>,
    /// Alternatives, of which exactly one comes about.
    #[serde(default)]
    #[schemars(with = "Vec<EffectEntry>")]
    pub one_of: Vec<Spanned<EffectEntry>>,
}

/// A queue whose messages all leave it: they are deleted, or moved to a dead-letter queue.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DrainsEntry {
    /// The queue's logical id.
    #[schemars(with = "String")]
    pub queue: Spanned<String>,
    /// How long after it was sent; 60s unless it is given, at most 3m.
    #[serde(default)]
    #[schemars(with = "Option<Time>")]
    pub within: Option<Spanned<Time>>,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimesEntry {
    /// `1`.
    Exactly(u32),
    /// `"at least 1"`.
    AtLeast(u32),
    /// `"at most 1"`.
    AtMost(u32),
}

impl FromStr for TimesEntry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |text: &str| text.parse::<u32>().ok();
        let read = match words.as_slice() {
            ["at", "least", count] => number(count).map(Self::AtLeast),
            ["at", "most", count] => number(count).map(Self::AtMost),
            ["exactly", count] | [count] => number(count).map(Self::Exactly),
            _ => None,
        };
        read.ok_or_else(|| format!("`{text}` is not a count; write for example `1`, `\"at least 1\"` or `\"at most 1\"`"))
    }
}

impl<'de> Deserialize<'de> for TimesEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Count;
        impl Visitor<'_> for Count {
            type Value = TimesEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count such as `1`, `\"at least 1\"` or `\"at most 1\"`")
            }

            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<TimesEntry, E> {
                u32::try_from(count).map(TimesEntry::Exactly).map_err(|_| E::custom(format!("`{count}` is not a count; write 0 or more")))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TimesEntry, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Count)
    }
}

/// A key: one text, or the attributes of a row's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEntry {
    /// The partition key of a row, or an object's key.
    One(String),
    /// Attributes by name.
    Each(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for KeyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrEach;
        impl<'de> Visitor<'de> for OneOrEach {
            type Value = KeyEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key such as `\"{{order}}\"`, or its attributes such as `{ id = \"{{order}}\", line = \"1\" }`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<KeyEntry, E> {
                Ok(KeyEntry::One(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KeyEntry, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    all.insert(name, value);
                }
                Ok(KeyEntry::Each(all))
            }
        }
        deserializer.deserialize_any(OneOrEach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_as_it_is_written_or_refused() {
        for (text, read) in [
            ("1", Some(TimesEntry::Exactly(1))),
            ("exactly 2", Some(TimesEntry::Exactly(2))),
            ("at least 1", Some(TimesEntry::AtLeast(1))),
            ("at most 3", Some(TimesEntry::AtMost(3))),
            ("once", None),
            ("at least", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), read, "{text}");
        }
    }
}
