//! What is known of an event for a filter to match on. An event that is no JSON object has no facts of its own.

use serde_json::Value;

use crate::Start;

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
