//! The facts of an event that filters match on. An event that is not a JSON object has none.

use std::borrow::Cow;
use std::hash::Hasher;
use std::sync::LazyLock;

use serde_json::Value;
use siphasher::sip::SipHasher24;

use crate::json::said;
use crate::places::{ANY_CASE, Places, escaped};
use crate::start::Start;

/// The most bytes of a message's id. The longest known one, of a Kinesis record, has 77.
const LONGEST_ID: usize = 128;

const METHOD: [&str; 2] = ["/httpMethod", "/requestContext/http/method"];
const PATH: [&str; 2] = ["/path", "/rawPath"];
const HEADERS: [&str; 2] = ["/multiValueHeaders", "/headers"];
const QUERIES: [&str; 2] = ["/multiValueQueryStringParameters", "/queryStringParameters"];
const SOURCES: [&str; 6] =
    ["/Records/~*/eventSourceARN", "/Records/~*/Sns/TopicArn", "/Records/~*/s3/bucket/arn", "/methodArn", "/routeArn", "/resources"];
const MESSAGE_IDS: [&str; 3] = ["/Records/~f/messageId", "/Records/~f/eventID", "/Records/~f/Sns/MessageId"];
const OBJECT: [&str; 3] = ["/Records/~f/s3/bucket/name", "/Records/~f/s3/object/key", "/Records/~f/s3/object/sequencer"];

/// The facts of one event: the content of the requested places, byte for byte.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts<'a> {
    /// Its number among the invocations of its environment, from 1; 0 if that is not known.
    pub request: u64,
    /// Which delivery of its request to its function it is, from 1; 0 if that is not known.
    pub delivery: u32,
    method: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    found: Vec<(&'a str, Cow<'a, str>)>,
    names: Vec<Cow<'a, str>>,
}

/// A group of alternative places: one of them is enough.
pub type Group = Vec<String>;

/// The places of the HTTP method (REST proxy and request authorizer, HTTP API 2.0).
pub fn method_places() -> Group {
    METHOD.map(str::to_owned).to_vec()
}

/// The places of the path without the stage.
pub fn path_places() -> Group {
    PATH.map(str::to_owned).to_vec()
}

/// The places of the values of an HTTP header, its name in any case.
pub fn header_places(name: &str) -> Vec<Group> {
    named(HEADERS, ANY_CASE, name).map(|place| vec![place]).to_vec()
}

/// The places of the values of a query parameter.
pub fn query_places(name: &str) -> Vec<Group> {
    named(QUERIES, "", name).map(|place| vec![place]).to_vec()
}

/// The places of the ARNs that an event comes from (queues, streams, topics, buckets, authorizers, rules).
pub fn source_places() -> Vec<Group> {
    SOURCES.map(|place| vec![place.to_owned()]).to_vec()
}

/// The places of the id of an event's first record.
pub fn message_places() -> Vec<Group> {
    OBJECT.map(|of_object| MESSAGE_IDS.into_iter().chain([of_object]).map(str::to_owned).collect()).to_vec()
}

fn named(maps: [&str; 2], before: &str, name: &str) -> [String; 2] {
    maps.map(|map| format!("{map}/{before}{}", escaped(name)))
}

/// The id of an event's first record: see [`Facts::message`].
pub fn message(event: &[u8]) -> Option<String> {
    static PLACES: LazyLock<Places> = LazyLock::new(|| Places::of(message_places()));
    PLACES.read(event, true)?.message()
}

fn first_text<'a>(found: &[(&str, Cow<'a, str>)], wanted: &str) -> Option<Cow<'a, str>> {
    match &found.iter().find(|(place, _)| *place == wanted)?.1 {
        Cow::Borrowed(raw) => said(raw),
        Cow::Owned(raw) => said(raw).map(|text| text.into_owned().into()),
    }
}

impl<'a> Facts<'a> {
    /// The facts from what was found, by pattern, and the names of the event's members.
    pub(crate) fn found(found: Vec<(&'a str, Cow<'a, str>)>, names: Vec<Cow<'a, str>>) -> Self {
        // Every fault may need these two.
        let [method, path] = [METHOD, PATH].map(|places| places.into_iter().find_map(|place| first_text(&found, place)));
        Self { request: 0, delivery: 0, method, path, found, names }
    }

    /// The facts that the sender of an HTTP request knows about its event.
    pub fn of_request(method: &str, path: &str) -> Self {
        let [of_method, of_path] = [(METHOD, method), (PATH, path)].map(|([place, _], text)| (place, Value::from(text).to_string().into()));
        Self::found(vec![of_method, of_path], Vec::new())
    }

    /// The same event with this number in its environment.
    #[must_use]
    pub fn at_place(mut self, request: u64) -> Self {
        self.request = request;
        self
    }

    /// The same event as this delivery of its request.
    #[must_use]
    pub fn delivered(mut self, delivery: u32) -> Self {
        self.delivery = delivery;
        self
    }

    /// Cold for the first invocation of an environment, else warm.
    pub const fn start(&self) -> Start {
        if self.request == 1 { Start::Cold } else { Start::Warm }
    }

    /// The HTTP method.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The path without the stage.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The values of an HTTP header, its name in any case.
    pub fn header(&self, name: &str) -> Vec<String> {
        self.values(named(HEADERS, ANY_CASE, name))
    }

    /// The values of a query parameter.
    pub fn query(&self, name: &str) -> Vec<String> {
        self.values(named(QUERIES, "", name))
    }

    /// The values at the places of a pattern, as JSON.
    pub fn raw<'b>(&'b self, pattern: &'b str) -> impl Iterator<Item = &'b str> {
        self.found.iter().filter(move |(found, _)| *found == pattern).map(|(_, raw)| raw.as_ref())
    }

    /// The ARNs that the event comes from.
    pub fn sources(&self) -> Vec<String> {
        self.values(SOURCES.map(str::to_owned))
    }

    /// The names of the event's top-level members, if they were requested.
    pub fn names(&self) -> &[Cow<'a, str>] {
        &self.names
    }

    /// The id of the event's first record: of the message in a queue (`messageId`), the record in a
    /// stream (`eventID`) or the notice of a topic (`Sns.MessageId`), which stays the same at every
    /// delivery. A bucket's record has no id, so this is its `sequencer` with a hash of bucket and
    /// key: a key may contain a person's name, and the id is written to the ledger. `None` if there
    /// is no id, or if it is too long or has unusual characters.
    pub fn message(&self) -> Option<String> {
        let id = |place: &'static str| self.text(place).filter(|text| is_id(text));
        MESSAGE_IDS.into_iter().find_map(id).map(Cow::into_owned).or_else(|| {
            let [bucket, key, sequencer] = OBJECT;
            let (bucket, key, sequencer) = (self.text(bucket)?, self.text(key)?, id(sequencer)?);
            let mut hasher = SipHasher24::new();
            hasher.write(bucket.as_bytes());
            hasher.write_u8(0xff);
            hasher.write(key.as_bytes());
            Some(format!("{sequencer}-{:016x}", hasher.finish()))
        })
    }

    /// The string in a place.
    pub fn text<'b>(&'b self, pattern: &'b str) -> Option<Cow<'b, str>> {
        said(self.raw(pattern).next()?)
    }

    /// All strings in these places, including those in lists.
    fn values<const N: usize>(&self, patterns: [String; N]) -> Vec<String> {
        let raw = patterns.iter().flat_map(|pattern| self.raw(pattern));
        raw.flat_map(|raw| match said(raw) {
            Some(text) => vec![text.into_owned()],
            None => texts(raw),
        })
        .collect()
    }
}

/// The strings of a list.
fn texts(raw: &str) -> Vec<String> {
    let list: Vec<Value> = if raw.starts_with('[') { serde_json::from_str(raw).unwrap_or_default() } else { Vec::new() };
    list.into_iter().filter_map(|value| if let Value::String(text) = value { Some(text) } else { None }).collect()
}

fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.');
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str) -> Option<String> {
        super::message(event.as_bytes())
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
    fn a_buckets_record_is_identified_without_the_name_of_its_object() {
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
