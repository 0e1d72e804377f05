//! The event is altered before the handler sees it. It may never make one caller look like another, nor one request like another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Seen, Settings};
use crate::{Action, Complaint, Roll};

/// Edits of the event by JSON pointer (RFC 6901), `remove` before `set`. An event that is not JSON, or in which no place was found, passes untouched.
///
/// Who asks, what for, and with which leave cannot be edited, and an authorizer's event cannot be edited at all. An answer to
/// an edited event that could allow something becomes an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edits {
    /// Pointers of what is taken away; what is not there stays away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Pointers and what is put there. The place's parent must be there; `-` appends to an array.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub set: BTreeMap<String, Value>,
}

/// What a pointer's segment must not contain, in lower case: it would change who asks, what for, or with which leave.
const SEALED: &[&str] = &[
    "arn",
    "auth",
    "claim",
    "context",
    "cookie",
    "credential",
    "header",
    "identity",
    "method",
    "password",
    "path",
    "policy",
    "principal",
    "resource",
    "role",
    "scope",
    "secret",
    "session",
    "sub",
    "token",
    "user",
];

impl Edits {
    /// The edited event, or `None` where nothing could be edited or an authorizer is asked.
    pub fn apply(&self, event: &[u8]) -> Option<Vec<u8>> {
        let mut event: Value = serde_json::from_slice(event).ok()?;
        if asks_for_leave(&event) {
            return None;
        }
        let removed = self.remove.iter().filter(|pointer| remove(&mut event, pointer)).count();
        let put = self.set.iter().filter(|(pointer, value)| set(&mut event, pointer, value)).count();
        if removed + put == 0 { None } else { serde_json::to_vec(&event).ok() }
    }
}

/// An event of a request or token authorizer, of either version.
fn asks_for_leave(event: &Value) -> bool {
    ["methodArn", "routeArn", "authorizationToken", "identitySource"].iter().any(|key| event.get(key).is_some())
}

fn remove(event: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = parent(event, pointer) else { return false };
    match parent {
        Value::Object(map) => map.remove(&key).is_some(),
        Value::Array(list) => index(&key).filter(|at| *at < list.len()).map(|at| list.remove(at)).is_some(),
        _ => false,
    }
}

fn set(event: &mut Value, pointer: &str, value: &Value) -> bool {
    let Some((parent, key)) = parent(event, pointer) else { return false };
    match parent {
        Value::Object(map) => {
            map.insert(key, value.clone());
            true
        }
        Value::Array(list) if key == "-" => {
            list.push(value.clone());
            true
        }
        Value::Array(list) => index(&key).and_then(|at| list.get_mut(at)).map(|place| *place = value.clone()).is_some(),
        _ => false,
    }
}

/// The value that holds what a pointer names, and the key within it.
fn parent<'a>(event: &'a mut Value, pointer: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = pointer.rsplit_once('/')?;
    Some((event.pointer_mut(parent)?, unescaped(key)))
}

fn index(key: &str) -> Option<usize> {
    key.parse().ok().filter(|at: &usize| at.to_string() == key)
}

/// RFC 6901, 4: `~1` is `/` and `~0` is `~`, in this order.
fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn complaint(pointer: &str) -> Option<String> {
    if !pointer.starts_with('/') || pointer.len() < 2 {
        return Some("it is not a JSON pointer below the whole event; write one such as `/Records/0/body`".to_owned());
    }
    let lower = unescaped(&pointer.to_ascii_lowercase());
    let sealed = SEALED.iter().find(|word| lower.split('/').any(|segment| segment.contains(**word)))?;
    Some(format!("`{sealed}` is in it: who asks, what for, and with which leave cannot be edited"))
}

impl Settings for Edits {
    fn decide(&self, _: Roll) -> Action {
        Action::EditEvent(self.clone())
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.remove.is_empty() && self.set.is_empty() {
            complaints.push(Complaint::new("", "it changes nothing; give `remove` or `set`"));
        }
        let removed = self.remove.iter().map(|pointer| ("remove", pointer));
        for (key, pointer) in removed.chain(self.set.keys().map(|pointer| ("set", pointer))) {
            complaints.extend(complaint(pointer).map(|what| Complaint::new(format!("{key}.\"{pointer}\""), what)));
        }
        for (pointer, value) in &self.set {
            let names_a_sealed_place = nested_keys(value).iter().any(|name| complaint(&format!("/{name}")).is_some());
            if names_a_sealed_place {
                complaints.push(Complaint::new(format!("set.\"{pointer}\""), "its value holds a key that cannot be edited"));
            }
        }
        complaints
    }

    const SEEN: &'static [Seen] = &[Seen {
        with: "",
        by: [
            "200 or what the function makes of it; an error where the answer could allow something",
            "what the function makes of it; 502 where the answer could allow something",
            "untouched: an authorizer's event cannot be edited",
            "what the function makes of it",
            "what the function makes of it",
            "what the function makes of it",
            "what the function makes of it",
            "what the function makes of it",
        ],
    }];
}

fn nested_keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map.iter().flat_map(|(key, inner)| std::iter::once(key.clone()).chain(nested_keys(inner))).collect(),
        Value::Array(list) => list.iter().flat_map(nested_keys).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(text: &str) -> Edits {
        serde_json::from_str(text).unwrap()
    }

    fn applied(edit: &str, event: &str) -> Option<String> {
        edits(edit).apply(event.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn an_event_is_edited_by_pointer() {
        for (edit, event, edited) in [
            (r#"{"set":{"/a":2}}"#, r#"{"a":1}"#, Some(r#"{"a":2}"#)),
            (r#"{"set":{"/a/b":[]}}"#, r#"{"a":{}}"#, Some(r#"{"a":{"b":[]}}"#)),
            (r#"{"set":{"/a/b":1}}"#, r#"{"a":1}"#, None),
            (r#"{"set":{"/a/0":9}}"#, r#"{"a":[1,2]}"#, Some(r#"{"a":[9,2]}"#)),
            (r#"{"set":{"/a/-":9}}"#, r#"{"a":[1]}"#, Some(r#"{"a":[1,9]}"#)),
            (r#"{"set":{"/a/2":9}}"#, r#"{"a":[1]}"#, None),
            (r#"{"set":{"/x~1y~0":1}}"#, r#"{"x/y~":0}"#, Some(r#"{"x/y~":1}"#)),
            (r#"{"remove":["/a/0"]}"#, r#"{"a":[1,2]}"#, Some(r#"{"a":[2]}"#)),
            (r#"{"remove":["/b"]}"#, r#"{"a":1}"#, None),
            (r#"{"remove":["/a"]}"#, "not json", None),
        ] {
            assert_eq!(applied(edit, event).as_deref(), edited, "{edit} {event}");
        }
    }

    #[test]
    fn an_authorizers_event_is_never_edited() {
        for event in [r#"{"methodArn":"x","body":1}"#, r#"{"routeArn":"x","body":1}"#, r#"{"authorizationToken":"x","body":1}"#] {
            assert_eq!(applied(r#"{"set":{"/body":2}}"#, event), None, "{event}");
        }
    }

    #[test]
    fn who_asks_what_for_and_with_which_leave_cannot_be_edited() {
        for (edit, fine) in [
            (r#"{"set":{"/body":"x"}}"#, true),
            (r#"{"remove":["/Records/0/body"]}"#, true),
            (r#"{"set":{"/body":{"claims":1}}}"#, false),
            (r#"{"set":{"/headers/Authorization":"x"}}"#, false),
            (r#"{"remove":["/headers"]}"#, false),
            (r#"{"set":{"/requestContext/authorizer/claims/sub":"x"}}"#, false),
            (r#"{"set":{"/path":"/other"}}"#, false),
            (r#"{"set":{"":{}}}"#, false),
            (r#"{"remove":["/"]}"#, false),
            (r#"{"remove":["body"]}"#, false),
            (r#"{"set":{"/h~1eaders~0Token":1}}"#, false),
            (r#"{}"#, false),
        ] {
            assert_eq!(edits(edit).complaints().is_empty(), fine, "{edit}");
        }
    }
}
