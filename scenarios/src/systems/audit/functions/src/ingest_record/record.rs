//! Reads a record strictly, so that what is archived is what was meant. Pure. Of the content it
//! copies only the decoded bytes.

use crate::ingest_record::date::is_utc;
use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use thiserror::Error;

/// The longest `sourceSystem` and `contentType`, in bytes: short enough for the state machine's
/// input and a row's attributes.
const LONGEST: usize = 256;

/// Base64 that accepts missing padding and unused bits, for the weakness `lenient-base64`.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Wrong {
    #[error("the body is no JSON object: {0}")]
    Body(String),
    #[error("`{0}` is missing or no text")]
    Field(&'static str),
    #[error("`sourceTransactionID` must be 1 to 64 of A-Z a-z 0-9 - _")]
    Id,
    #[error("`{0}` must be 1 to 256 bytes long")]
    Length(&'static str),
    #[error("`occurredAt` must be a moment of RFC 3339 in UTC, such as 2026-01-31T12:00:00Z")]
    OccurredAt,
    #[error("`content` must be base64 of RFC 4648, section 4, with its padding and nothing else in between")]
    Content,
}

/// A valid record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) source_system: String,
    pub(super) occurred_at: String,
    pub(super) content_type: String,
    pub(super) content: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent<'a> {
    #[serde(borrow, rename = "sourceTransactionID")]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    source_system: Option<Text<'a>>,
    #[serde(borrow)]
    occurred_at: Option<Text<'a>>,
    #[serde(borrow)]
    content_type: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<Text<'a>>,
}

impl Record {
    /// Reads a body; `lenient` switches the weakness on.
    pub(super) fn read(body: &[u8], lenient: bool) -> Result<Self, Wrong> {
        let sent: Sent<'_> = serde_json::from_slice(body).map_err(|error| Wrong::Body(error.to_string()))?;
        let id = text(sent.id.as_ref(), "sourceTransactionID")?;
        if !(1..=64).contains(&id.len()) || !id.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-' || letter == b'_') {
            return Err(Wrong::Id);
        }
        let bounded = |field: Option<&Text<'_>>, name: &'static str| {
            let text = text(field, name)?.to_owned();
            if (1..=LONGEST).contains(&text.len()) { Ok(text) } else { Err(Wrong::Length(name)) }
        };
        let source_system = bounded(sent.source_system.as_ref(), "sourceSystem")?;
        let occurred_at = text(sent.occurred_at.as_ref(), "occurredAt")?;
        if !is_utc(occurred_at) {
            return Err(Wrong::OccurredAt);
        }
        let content_type = bounded(sent.content_type.as_ref(), "contentType")?;
        let content = text(sent.content.as_ref(), "content")?;
        let content = if lenient { leniently(content) } else { STANDARD.decode(content).ok() };
        let content = content.ok_or(Wrong::Content)?;
        Ok(Self { id: id.to_owned(), source_system, occurred_at: occurred_at.to_owned(), content_type, content })
    }
}

fn text<'a>(field: Option<&'a Text<'_>>, name: &'static str) -> Result<&'a str, Wrong> {
    field.and_then(|field| field.0.as_deref()).ok_or(Wrong::Field(name))
}

/// Decodes a text after skipping every character that is not in the alphabet.
fn leniently(content: &str) -> Option<Vec<u8>> {
    let mut letters: Vec<u8> = content.bytes().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/')).collect();
    // A single letter does not encode a byte.
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    LENIENT.decode(letters).ok()
}

/// A text, borrowed from the body if possible, or `None` for a value that is not a text.
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                while all.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
                while all.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn sent() -> Value {
        json!({"sourceTransactionID": "a-Z_0", "sourceSystem": "till", "occurredAt": "2026-01-31T12:00:00Z", "contentType": "text/plain",
            "content": "aGVsbG8=", "more": [1, {"a": null}]})
    }

    fn with(field: &str, value: Value) -> String {
        let mut sent = sent();
        sent[field] = value;
        sent.to_string()
    }

    #[test]
    fn a_record_is_read_whole() {
        let record = Record::read(sent().to_string().as_bytes(), false).unwrap();
        let texts = [record.id, record.source_system, record.occurred_at, record.content_type];
        assert_eq!(texts, ["a-Z_0", "till", "2026-01-31T12:00:00Z", "text/plain"]);
        assert_eq!(record.content, b"hello");
        let escaped = sent().to_string().replace("aGVsbG8=", r"aGVs\u0062G8=");
        assert_eq!(Record::read(escaped.as_bytes(), false).unwrap().content, b"hello");
        assert_eq!(Record::read(with("content", json!("")).as_bytes(), false).unwrap().content, b"");
    }

    #[test]
    fn everything_that_is_wrong_is_named_by_its_field() {
        let long = "x".repeat(65);
        for (field, value) in [
            ("sourceTransactionID", json!("")),
            ("sourceTransactionID", json!(long)),
            ("sourceTransactionID", json!("a/b")),
            ("sourceTransactionID", json!("ü")),
            ("sourceTransactionID", json!(7)),
            ("sourceSystem", json!("")),
            ("sourceSystem", json!("x".repeat(257))),
            ("sourceSystem", json!({"a": 1})),
            ("occurredAt", json!("2026-02-29T12:00:00Z")),
            ("occurredAt", json!(1.5)),
            ("contentType", json!(null)),
            ("contentType", json!([])),
            ("content", json!("aGVsbG8")),
            ("content", json!("aGVs\nbG8=")),
            ("content", json!("aGVsbG9=")),
            ("content", json!("aGVs_G8=")),
            ("content", json!("plain text")),
            ("content", json!(true)),
        ] {
            let wrong = Record::read(with(field, value.clone()).as_bytes(), false).unwrap_err();
            assert!(wrong.to_string().contains(field), "{field} {value}: {wrong}");
        }
        for field in ["sourceTransactionID", "sourceSystem", "occurredAt", "contentType", "content"] {
            let mut without = sent();
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(Record::read(without.to_string().as_bytes(), false), Err(Wrong::Field(field)));
        }
        for body in ["", "[]", "{", "7", "\u{0}"] {
            assert!(matches!(Record::read(body.as_bytes(), false), Err(Wrong::Body(_))), "{body}");
        }
    }

    #[test]
    fn lenient_reading_accepts_plain_text_and_corrupts_it() {
        let read = |content: &str| Record::read(with("content", json!(content)).as_bytes(), true).map(|record| record.content);
        assert_eq!(read("aGVs bG8").as_deref(), Ok(&b"hello"[..]));
        assert!(read("This is no base64, is it?").is_ok_and(|content| content != b"This is no base64, is it?"));
        assert!(read("a").is_ok_and(|content| content.is_empty()));
    }

    proptest! {
        #[test]
        fn the_content_is_the_bytes_that_were_encoded(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let body = with("content", json!(STANDARD.encode(&content)));
            prop_assert_eq!(Record::read(body.as_bytes(), false).unwrap().content, content);
        }

        #[test]
        fn any_text_is_a_record_or_wrong(text in ".{0,80}") {
            let strictly = Record::read(with("content", json!(text)).as_bytes(), false);
            if let Ok(record) = strictly {
                prop_assert_eq!(STANDARD.encode(record.content), text.clone());
            }
            prop_assert!(Record::read(with("content", json!(text)).as_bytes(), true).is_ok());
            let _ = Record::read(text.as_bytes(), false);
        }
    }
}
