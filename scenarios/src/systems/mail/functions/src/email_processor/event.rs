//! The queue's events: messages about objects. A message that cannot be understood is an error of
//! that message alone.

use serde_json::Value;
use thiserror::Error;

/// The object that SES puts into the bucket when a receipt rule is made; it is not a mail.
const SETUP_NOTIFICATION: &str = "AMAZON_SES_SETUP_NOTIFICATION";

/// Something is missing or invalid in an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the event was not understood: {0}")]
pub struct NotUnderstood(pub(super) &'static str);

/// One message of the queue.
pub(super) struct Record<'a> {
    pub(super) message_id: &'a str,
    pub(super) body: &'a str,
}

/// An object that was stored in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// The messages of a batch. A message without an id could not be reported as failed, so the whole
/// batch is then refused.
pub(super) fn records(event: &Value) -> Result<Vec<Record<'_>>, NotUnderstood> {
    let records = event.get("Records").and_then(Value::as_array).ok_or(NotUnderstood("no `Records`"))?;
    let read = records.iter().map(|record| {
        let message_id = text(record, "/messageId").ok_or(NotUnderstood("a record without `messageId`"))?;
        Ok(Record { message_id, body: text(record, "/body").unwrap_or_default() })
    });
    read.collect()
}

/// The mails in a message from S3: none for `s3:TestEvent`, for an object that is not a mail, and
/// for any event other than a new object.
pub(super) fn arrivals(body: &str) -> Result<Vec<Arrival>, NotUnderstood> {
    let body: Value = serde_json::from_str(body).map_err(|_| NotUnderstood("the body is not JSON"))?;
    if text(&body, "/Event") == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    let records = body.get("Records").and_then(Value::as_array).ok_or(NotUnderstood("no `Records` in the body"))?;
    let created = records.iter().filter(|record| text(record, "/eventName").is_none_or(|name| name.starts_with("ObjectCreated:")));
    let arrivals = created.map(Arrival::read).collect::<Result<Vec<_>, _>>()?;
    Ok(arrivals.into_iter().filter(|arrival| arrival.key != SETUP_NOTIFICATION).collect())
}

impl Arrival {
    fn read(record: &Value) -> Result<Self, NotUnderstood> {
        let bucket = text(record, "/s3/bucket/name").ok_or(NotUnderstood("no bucket"))?.to_owned();
        let key = text(record, "/s3/object/key").and_then(decoded).filter(|key| !key.is_empty()).ok_or(NotUnderstood("no key"))?;
        Ok(Self { bucket, key })
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

/// S3 encodes keys as HTML forms do: `+` is a space, `%` begins a byte.
fn decoded(key: &str) -> Option<String> {
    let mut rest = key.bytes();
    let mut bytes = Vec::with_capacity(key.len());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? * 16 + digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(name: &str, key: &str) -> String {
        json!({"Records": [{"eventName": name, "s3": {"bucket": {"name": "incoming"}, "object": {"key": key}}}]}).to_string()
    }

    #[test]
    fn keys_are_decoded() {
        for (written, key) in [("abc123", "abc123"), ("a+b%2Bc%20d", "a b+c d"), ("%c3%A9", "é"), ("a%2Fb", "a/b")] {
            let arrival = Arrival { bucket: "incoming".to_owned(), key: key.to_owned() };
            assert_eq!(arrivals(&told("ObjectCreated:Put", written)), Ok(vec![arrival]), "{written}");
        }
    }

    #[test]
    fn an_event_without_a_new_mail_is_ignored_without_an_error() {
        let test_event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00.000Z", "Bucket": "incoming"});
        for body in [
            test_event.to_string(),
            told("ObjectCreated:Put", "AMAZON_SES_SETUP_NOTIFICATION"),
            told("ObjectRemoved:Delete", "abc"),
            json!({"Records": []}).to_string(),
        ] {
            assert_eq!(arrivals(&body), Ok(Vec::new()), "{body}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let no_bucket = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": "a"}}}]}).to_string();
        for body in ["", "{", "[]", "{}", &no_bucket] {
            assert!(arrivals(body).is_err(), "{body}");
        }
        for key in ["", "%", "%4", "%zz", "%ff"] {
            assert!(arrivals(&told("ObjectCreated:Put", key)).is_err(), "{key}");
        }
        assert!(records(&json!({})).is_err() && records(&json!({"Records": [{"body": "{}"}]})).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_key_is_decoded_or_refused(key in "\\PC{0,40}|[%+0-9a-fA-Fx]{0,20}") {
            let _ = arrivals(&told("ObjectCreated:Put", &key));
        }

        #[test]
        fn any_body_is_read_or_refused(body in "\\PC{0,200}|[{}\\[\\]:,\"a-z0-9]{0,60}") {
            let _ = arrivals(&body);
        }
    }
}
