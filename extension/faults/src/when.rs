//! Which invocations a fault applies to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::complaint::Complaint;
use crate::facts::{self, Facts, Group};
use crate::json::said;
use crate::pattern::{LONGEST_PATTERN, Wild, matches};
use crate::plan::LARGEST_PLAN;
use crate::start::Start;

/// A filter on the event and its environment. A key that is not given matches everything; an event that lacks what a key asks for does not match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct When {
    /// The HTTP method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path of the request: `*` means any text within one segment, `**` any text at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// HTTP headers by name, in any case, and what one of their values looks like; `*` means any text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// Query parameters by name and what one of their values looks like; `*` means any text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Places in the event by JSON pointer (RFC 6901) and what must be there; in a text `*` means any text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub pointer: BTreeMap<String, Value>,
    /// The ARN of the queue, stream, topic, bucket or method that the event comes from; `*` means any text. Of a batch, any of its records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
    /// The environment's first invocation, or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The place of the invocation among those of its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
}

/// Invocations of one environment, counted from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Requests {
    /// The first one; 1 unless it is given.
    #[serde(default = "first")]
    pub from: u64,
    /// The last one; without it there is no last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

const fn first() -> u64 {
    1
}

impl When {
    /// Whether the event has to be read to decide.
    pub fn needs_event(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.source_arn.is_some() || self.needs_more_than_a_request_line()
    }

    fn needs_more_than_a_request_line(&self) -> bool {
        !self.header.is_empty() || !self.query.is_empty() || !self.pointer.is_empty()
    }

    /// Whether the method and the path of a request, which its sender knows, are enough to decide whether it matches.
    pub fn is_known_to_the_sender(&self) -> bool {
        self.source_arn.is_none() && self.start.is_none() && self.requests.is_none() && !self.needs_more_than_a_request_line()
    }

    /// The places of the event that it needs; one of each group is enough.
    pub fn places(&self) -> Vec<Group> {
        let method = self.method.iter().map(|_| facts::method_places());
        let path = self.path.iter().map(|_| facts::path_places());
        let headers = self.header.keys().flat_map(|name| facts::header_places(name));
        let queries = self.query.keys().flat_map(|name| facts::query_places(name));
        let pointers = self.pointer.keys().map(|pointer| vec![pointer.clone()]);
        let sources = self.source_arn.iter().flat_map(|_| facts::source_places());
        method.chain(path).chain(headers).chain(queries).chain(pointers).chain(sources).collect()
    }

    /// Whether an event with these facts matches.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let any = |pattern: &str, values: Vec<String>| values.iter().any(|value| matches(pattern, value, Wild::Text));
        let method = self.method.as_deref().is_none_or(|wanted| facts.method().is_some_and(|m| m.eq_ignore_ascii_case(wanted)));
        let path = self.path.as_deref().is_none_or(|pattern| facts.path().is_some_and(|path| matches(pattern, path, Wild::Segment)));
        let header = self.header.iter().all(|(name, pattern)| any(pattern, facts.header(name)));
        let query = self.query.iter().all(|(name, pattern)| any(pattern, facts.query(name)));
        let pointer = self.pointer.iter().all(|(pointer, wanted)| facts.raw(pointer).next().is_some_and(|found| is_wanted(wanted, found)));
        let source = self.source_arn.as_deref().is_none_or(|pattern| any(pattern, facts.sources()));
        let start = self.start.is_none_or(|wanted| wanted == facts.start());
        let counted = self.requests.is_none_or(|range| facts.request >= range.from && range.to.is_none_or(|to| facts.request <= to));
        method && path && header && query && pointer && source && start && counted
    }

    /// Everything that is wrong with the filter.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if let Some(method) = &self.method
            && (method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphabetic()))
        {
            complaints.push(Complaint::new("method", format!("`{method}` is not an HTTP method; write one such as `GET`")));
        }
        if let Some(path) = &self.path
            && !path.starts_with('/')
            && !path.starts_with('*')
        {
            complaints.push(Complaint::new("path", format!("`{path}` does not begin with `/`")));
        }
        if let Some(length) = self.path.as_ref().map(String::len).filter(|length| *length > LONGEST_PATTERN) {
            complaints.push(Complaint::new("path", format!("it has {length} bytes; {LONGEST_PATTERN} is the most")));
        }
        for pointer in self.pointer.keys().filter(|pointer| !is_pointer(pointer)) {
            complaints.push(Complaint::new("pointer", format!("`{pointer}` is not a JSON pointer; write one such as `/Records/0/body`")));
        }
        if let Some(Requests { from, to }) = self.requests
            && (from == 0 || to.is_some_and(|to| to < from))
        {
            complaints.push(Complaint::new("requests", "`from` is 1 or more, and `to` not less than `from`"));
        }
        complaints
    }
}

/// RFC 6901, 3: empty, or segments each after a `/`, in which `~` comes only before `0` and `1`.
pub(crate) fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

/// Whether `found`, as JSON, is the wanted value. A value longer than a plan, other than a string,
/// cannot match, so it is never parsed.
fn is_wanted(wanted: &Value, found: &str) -> bool {
    match wanted {
        Value::String(pattern) => said(found).is_some_and(|text| matches(pattern, &text, Wild::Text)),
        _ => found.len() <= LARGEST_PLAN && serde_json::from_str::<Value>(found).is_ok_and(|found| *wanted == found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Places;

    fn when(text: &str) -> When {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_filter_matches_an_event_by_its_content() {
        let http = r#"{"httpMethod":"GET","path":"/items/1","headers":{"X-Kind":"a-b"},"multiValueQueryStringParameters":{"q":["1","2"]},
            "body":"{}","n":{"m":[7]}}"#;
        let queue = r#"{"Records":[{"eventSourceARN":"arn:aws:sqs:eu-west-1:1:mail","body":"x"}]}"#;
        for (filter, event, meant) in [
            (r#"{"method":"get"}"#, http, true),
            (r#"{"method":"get"}"#, queue, false),
            (r#"{"method":"get"}"#, "not json", false),
            ("{}", "not json", true),
            (r#"{"path":"/items/*"}"#, http, true),
            (r#"{"header":{"x-kind":"a*"}}"#, http, true),
            (r#"{"header":{"x-kind":"b*"}}"#, http, false),
            (r#"{"header":{"x-other":"*"}}"#, http, false),
            (r#"{"query":{"q":"2"}}"#, http, true),
            (r#"{"query":{"q":"3"}}"#, http, false),
            (r#"{"pointer":{"/n/m/0":7}}"#, http, true),
            (r#"{"pointer":{"/n/m":[7]}}"#, http, true),
            (r#"{"pointer":{"/n/m/0":"7"}}"#, http, false),
            (r#"{"pointer":{"/body":"{*"}}"#, http, true),
            (r#"{"pointer":{"/none":null}}"#, http, false),
            (r#"{"source-arn":"arn:aws:sqs:*:mail"}"#, queue, true),
            (r#"{"source-arn":"arn:aws:sqs:*:other"}"#, queue, false),
            (r#"{"source-arn":"*"}"#, http, false),
        ] {
            let filter = when(filter);
            let places = Places::of(filter.places());
            assert_eq!(filter.matches(&places.read(event.as_bytes(), true).unwrap()), meant, "{filter:?} {event}");
        }
    }

    #[test]
    fn a_filter_matches_an_event_by_its_number_in_the_environment() {
        for (filter, request, meant) in [
            (r#"{"start":"cold"}"#, 1, true),
            (r#"{"start":"cold"}"#, 2, false),
            (r#"{"start":"warm"}"#, 2, true),
            (r#"{"requests":{"from":3}}"#, 2, false),
            (r#"{"requests":{"from":3}}"#, 3, true),
            (r#"{"requests":{"to":2}}"#, 3, false),
            (r#"{"requests":{"from":2,"to":2}}"#, 2, true),
        ] {
            assert_eq!(when(filter).matches(&Facts::default().at_place(request)), meant, "{filter} {request}");
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_refused() {
        for filter in [
            r#"{"method":"G T"}"#,
            r#"{"path":"items"}"#,
            r#"{"pointer":{"a":1}}"#,
            r#"{"pointer":{"/Records/~*":1}}"#,
            r#"{"requests":{"from":0}}"#,
            r#"{"requests":{"from":3,"to":2}}"#,
        ] {
            assert_eq!(when(filter).complaints().len(), 1, "{filter}");
        }
        let long = When { path: Some("/".repeat(LONGEST_PATTERN + 1)), ..When::default() };
        assert_eq!(long.complaints().len(), 1);
    }
}
