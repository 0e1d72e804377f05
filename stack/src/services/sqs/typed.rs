//! The typed attributes of a message: which are valid, how many bytes they have, and the digest by
//! which an SDK checks them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::md5;

/// The most attributes per message. Source: Amazon SQS, message quotas.
const MOST: usize = 10;

/// An attribute's value, in bytes.
enum Content<'a> {
    Text(&'a str),
    Binary(Vec<u8>),
}

fn content(value: &Value) -> Option<(&str, Content<'_>)> {
    let kind = value.get("DataType")?.as_str()?;
    let content = if kind == "Binary" || kind.starts_with("Binary.") {
        Content::Binary(STANDARD.decode(value.get("BinaryValue")?.as_str()?).ok()?)
    } else if ["String", "Number"].iter().any(|it| kind == *it || kind.strip_prefix(it).is_some_and(|rest| rest.starts_with('.'))) {
        Content::Text(value.get("StringValue")?.as_str()?)
    } else {
        return None;
    };
    Some((kind, content))
}

/// How many bytes they have, including names and types; or what is wrong with them.
pub fn size(typed: &BTreeMap<String, Value>) -> Result<usize, String> {
    if typed.len() > MOST {
        return Err(format!("a message has at most {MOST} attributes"));
    }
    let mut size = 0;
    for (name, value) in typed {
        let Some((kind, content)) = content(value) else { return Err(format!("the attribute `{name}` has no value of a known type")) };
        let length = match content {
            Content::Text(text) => text.len(),
            Content::Binary(bytes) => bytes.len(),
        };
        if length == 0 {
            return Err(format!("the attribute `{name}` is empty"));
        }
        size += name.len() + kind.len() + length;
    }
    Ok(size)
}

/// `MD5OfMessageAttributes`; `None` without attributes. Source: Amazon SQS, calculating the MD5
/// message digest for message attributes.
pub fn digest(typed: &BTreeMap<String, Value>) -> Option<String> {
    if typed.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut put = |part: &[u8], transport: Option<u8>| {
        bytes.extend(transport);
        bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(part);
    };
    for (name, value) in typed {
        let (kind, content) = content(value)?;
        put(name.as_bytes(), None);
        put(kind.as_bytes(), None);
        match content {
            Content::Text(text) => put(text.as_bytes(), Some(1)),
            Content::Binary(content) => put(&content, Some(2)),
        }
    }
    Some(md5(&bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_counted_and_invalid_ones_refused() {
        for (value, size_or_not) in [
            (json!({"DataType": "String", "StringValue": "abc"}), Some(10)),
            (json!({"DataType": "Number.int", "StringValue": "7"}), Some(12)),
            (json!({"DataType": "Binary", "BinaryValue": "AAEC"}), Some(10)),
            (json!({"DataType": "Binary", "BinaryValue": "?"}), None),
            (json!({"DataType": "String", "StringValue": ""}), None),
            (json!({"DataType": "Stringy", "StringValue": "a"}), None),
            (json!({"StringValue": "a"}), None),
        ] {
            assert_eq!(size(&BTreeMap::from([("n".to_owned(), value.clone())])).ok(), size_or_not, "{value}");
        }
        assert_eq!(digest(&BTreeMap::new()), None);
    }

    #[test]
    fn the_digest_is_the_one_that_the_sdks_compute() {
        // 3 `my1`, 6 `String`, transport 1, 5 `value`; each length in four bytes.
        let plain = b"\0\0\0\x03my1\0\0\0\x06String\x01\0\0\0\x05value";
        let typed = BTreeMap::from([("my1".to_owned(), json!({"DataType": "String", "StringValue": "value"}))]);
        assert_eq!(digest(&typed), Some(md5(plain)));
    }
}
