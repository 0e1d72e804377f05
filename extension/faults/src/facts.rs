//! What is known of an event for a filter to match on. An event that is no JSON object has no facts of its own.

use std::hash::Hasher;

use serde_json::Value;
use siphasher::sip::SipHasher24;

use crate::Start;

/// The most bytes of a message's id. The longest that is known, of a Kinesis record, has 77.
const LONGEST_ID: usize = 128;

/// The facts of one event. It is read as a whole, only where a filter needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Its place among the invocations of its environment, from 1; 0 where that is not known.
    pub request: u64,
    event: Value,
}

impl Facts {
    /// Reads an event (REST proxy and request authorizer, HTTP API 2.0, queues, streams, topics, buckets).
    pub fn read(event: &[u8]) -> Self {
        Self { request: 0, event: serde_json::from_slice(event).unwrap_or_default() }
    }

    /// What the sender of an HTTP request knows of its event.
    pub fn of_request(method: &str, path: &str) -> Self {
        Self { request: 0, event: serde_json::json!({ "httpMethod": method, "path": path }) }
    }

    /// The same event in this place.
    #[must_use]
    pub fn at_place(mut self, request: u64) -> Self {
        self.request = request;
        self
    }

    /// The first invocation of an environment is the cold one.
    pub const fn start(&self) -> Start {
        if self.request == 1 { Start::Cold } else { Start::Warm }
    }

    /// The HTTP method.
    pub fn method(&self) -> Option<&str> {
        self.text("/httpMethod").or_else(|| self.text("/requestContext/http/method"))
    }

    /// The path without the stage.
    pub fn path(&self) -> Option<&str> {
        self.text("/path").or_else(|| self.text("/rawPath"))
    }

    /// The values of an HTTP header, its name in any case.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.named(["multiValueHeaders", "headers"], move |key| key.eq_ignore_ascii_case(name))
    }

    /// The values of a query parameter.
    pub fn query<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.named(["multiValueQueryStringParameters", "queryStringParameters"], move |key| key == name)
    }

    /// What stands at a JSON pointer.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.event.pointer(pointer)
    }

    /// The ARNs that the event comes from.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let records = self.event.get("Records").and_then(Value::as_array).into_iter().flatten();
        let of_records = records.filter_map(|record| {
            ["/eventSourceARN", "/Sns/TopicArn", "/s3/bucket/arn"].iter().find_map(|pointer| record.pointer(pointer)?.as_str())
        });
        let of_event = ["/methodArn", "/routeArn"].iter().filter_map(|pointer| self.text(pointer));
        let resources = self.event.get("resources").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        of_records.chain(of_event).chain(resources)
    }

    /// The id of the event's first record: of the message in a queue (`messageId`), the record in a stream (`eventID`) or the notice of a topic
    /// (`Sns.MessageId`), each the same however often it is delivered. What a bucket tells has no id: its `sequencer` with a hash of bucket and key,
    /// since a key may be somebody's name and this one is written down. `None` where there is none, or one that is longer than ids are or has other
    /// characters.
    pub fn message(&self) -> Option<String> {
        let record = self.event.get("Records")?.get(0)?;
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).filter(|text| is_id(text));
        ["/messageId", "/eventID", "/Sns/MessageId"].into_iter().find_map(text).map(str::to_owned).or_else(|| {
            let (bucket, key) = (record.pointer("/s3/bucket/name")?.as_str()?, record.pointer("/s3/object/key")?.as_str()?);
            let mut hasher = SipHasher24::new();
            hasher.write(bucket.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(key.as_bytes());
            Some(format!("{}-{:016x}", text("/s3/object/sequencer")?, hasher.finish()))
        })
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.event.pointer(pointer)?.as_str()
    }

    fn named<'a>(&'a self, maps: [&'static str; 2], is_named: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = &'a str> {
        let entries = maps.into_iter().filter_map(|map| self.event.get(map)?.as_object()).flatten();
        entries.filter(move |(key, _)| is_named(key)).flat_map(|(_, value)| match value {
            Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
            Value::String(text) => vec![text.as_str()],
            _ => Vec::new(),
        })
    }
}

fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str) -> Option<String> {
        Facts::read(event.as_bytes()).message()
    }

    #[test]
    fn a_message_is_known_by_the_id_of_the_first_record() {
        for (event, id) in [
            (
                r#"{"Records":[{"messageId":"059f36b4-87a3-44ab-83d2-661975830a7d","body":"b"},{"messageId":"2"}]}"#,
                "059f36b4-87a3-44ab-83d2-661975830a7d",
            ),
            (r#"{"Records":[{"eventID":"c4ca4238a0b923820dcc509a6f75849b","eventName":"INSERT"}]}"#, "c4ca4238a0b923820dcc509a6f75849b"),
            (
                r#"{"Records":[{"eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898"}]}"#,
                "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
            ),
            (
                r#"{"Records":[{"EventSource":"aws:sns","Sns":{"MessageId":"95df01b4-ee98-5cb9-9903-4c221d41eb5e"}}]}"#,
                "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
            ),
        ] {
            assert_eq!(message(event).as_deref(), Some(id), "{event}");
        }
    }

    #[test]
    fn an_event_without_an_id_of_the_usual_form_has_no_message() {
        let id = |id: &str| format!(r#"{{"Records":[{{"messageId":"{id}"}}]}}"#);
        for event in [
            "not json",
            "{}",
            "null",
            r#"{"httpMethod":"GET","path":"/"}"#,
            r#"{"Records":[]}"#,
            r#"{"Records":{"0":{"messageId":"a"}}}"#,
            r#"{"Records":[{"messageId":7}]}"#,
            r#"{"Records":[{"body":"b"},{"messageId":"a"}]}"#,
            r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}"#,
            &id(""),
            &id("of two words"),
            &id("line\\nbreak"),
            &id("größer"),
            &id(&"x".repeat(LONGEST_ID + 1)),
        ] {
            assert_eq!(message(event), None, "{event}");
        }
        assert_eq!(message(&id(&"x".repeat(LONGEST_ID))), Some("x".repeat(LONGEST_ID)));
    }

    #[test]
    fn what_a_bucket_tells_is_known_without_the_name_of_its_object() {
        let told = |bucket, key, sequencer| {
            let object = format!(r#"{{"key":"{key}","sequencer":"{sequencer}"}}"#);
            message(&format!(
                r#"{{"Records":[{{"eventName":"ObjectCreated:Put","s3":{{"bucket":{{"name":"{bucket}"}},"object":{object}}}}}]}}"#
            ))
            .unwrap()
        };
        let one = told("incoming", "anna", "0055AED6DCD90281E5");
        assert!(one.starts_with("0055AED6DCD90281E5-") && is_id(&one) && !one.contains("anna"), "{one}");
        assert_eq!(told("incoming", "anna", "0055AED6DCD90281E5"), one);
        for (bucket, key, sequencer) in [
            ("outgoing", "anna", "0055AED6DCD90281E5"),
            ("incoming", "bert", "0055AED6DCD90281E5"),
            ("incoming", "anna", "0055AED6DCD90281E6"),
        ] {
            assert_ne!(told(bucket, key, sequencer), one, "{bucket} {key} {sequencer}");
        }
    }
}
