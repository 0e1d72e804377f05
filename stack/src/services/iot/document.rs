//! One shadow's document: how an update changes it and which answers follow. It reads no clock and
//! makes no calls. Source: AWS IoT Core developer guide, "Device Shadow service documents" and
//! "Device Shadow error messages".

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// The largest request document, in bytes.
const LARGEST_DOCUMENT: usize = 8 * 1024;
/// The most levels of `desired` or `reported`.
const DEEPEST: usize = 8;

/// Why a request is refused: the code and the message that AWS sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The code, equal to the HTTP status.
    pub code: u16,
    /// The message.
    pub message: String,
    /// The request's own token, if it had one.
    pub client_token: Option<String>,
}

impl Rejection {
    /// A refusal without a client token.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), client_token: None }
    }

    /// The message on a `rejected` topic.
    pub fn body(&self, timestamp: u64) -> Value {
        with_token(json!({"code": self.code, "message": self.message, "timestamp": timestamp}), self.client_token.as_deref())
    }
}

/// One half of the state, with the time of each value's last change.
#[derive(Debug, Clone, Default, PartialEq)]
struct Section {
    state: Object,
    metadata: Object,
}

/// A shadow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    desired: Section,
    reported: Section,
    version: u64,
    timestamp: u64,
}

/// The messages about an accepted update; `delta` only if desired and reported differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// For the requester.
    pub accepted: Value,
    /// For the device: the `delta` topic.
    pub delta: Option<Value>,
    /// For the `documents` topic: the state before and after.
    pub documents: Value,
}

/// A parsed and checked update.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    state: Object,
    version: Option<u64>,
    client_token: Option<String>,
}

impl Update {
    /// Reads a request document.
    ///
    /// # Errors
    /// If it is too large, not JSON, or not of the right form.
    pub fn read(bytes: &[u8]) -> Result<Self, Rejection> {
        if bytes.len() > LARGEST_DOCUMENT {
            return Err(Rejection::new(413, "The payload exceeds the maximum size allowed"));
        }
        let Ok(Value::Object(mut document)) = serde_json::from_slice(bytes) else { return Err(Rejection::new(400, "Invalid JSON")) };
        let client_token = match document.remove("clientToken") {
            None => None,
            Some(Value::String(token)) if token.len() <= 64 => Some(token),
            Some(_) => return Err(Rejection::new(400, "Invalid clientToken")),
        };
        let refuse = |message: &str| Err(Rejection { code: 400, message: message.to_owned(), client_token: client_token.clone() });
        let version = match document.get("version") {
            None | Some(Value::Null) => None,
            Some(version) => match version.as_u64() {
                Some(version) => Some(version),
                None => return refuse("Invalid version"),
            },
        };
        let state = match document.remove("state") {
            None => return refuse("Missing required node: state"),
            Some(Value::Object(state)) => state,
            Some(_) => return refuse("State node must be an object"),
        };
        for (name, section) in &state {
            let title = match name.as_str() {
                "desired" => "Desired",
                "reported" => "Reported",
                _ => return refuse(&format!("State contains an invalid node: '{name}'")),
            };
            if !(section.is_object() || section.is_null()) {
                return refuse(&format!("{title} node must be an object"));
            }
            if depth(section) > DEEPEST {
                return refuse(&format!("JSON contains too many levels of nesting; maximum is {DEEPEST}"));
            }
        }
        Ok(Self { state, version, client_token })
    }
}

impl Document {
    /// The version; it only increases, even across a deletion.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Applies `update` at `now` (seconds since 1970).
    ///
    /// # Errors
    /// If the update names another version than the present one.
    pub fn update(&mut self, update: &Update, now: u64) -> Result<Accepted, Rejection> {
        let token = update.client_token.as_deref();
        if update.version.is_some_and(|version| version != self.version) {
            return Err(Rejection { code: 409, message: "Version conflict".to_owned(), client_token: update.client_token.clone() });
        }
        let previous = self.as_state();
        let mut metadata = Object::new();
        for (name, change) in &update.state {
            let section = if name == "desired" { &mut self.desired } else { &mut self.reported };
            match change {
                Value::Object(change) => {
                    merge(&mut section.state, &mut section.metadata, change, now);
                    metadata.insert(name.clone(), stamped(&without_nulls(change), now));
                }
                _ => *section = Section::default(),
            }
        }
        self.version += 1;
        self.timestamp = now;
        let (version, state) = (self.version, &update.state);
        let accepted = json!({"state": state, "metadata": metadata, "version": version, "timestamp": now});
        let delta = difference(&self.desired.state, &self.reported.state).map(|delta| {
            let metadata = picked(&self.desired.metadata, &delta);
            with_token(json!({"version": version, "timestamp": now, "state": delta, "metadata": metadata}), token)
        });
        let documents = json!({"previous": previous, "current": self.as_state(), "timestamp": now});
        Ok(Accepted { accepted: with_token(accepted, token), delta, documents: with_token(documents, token) })
    }

    /// The whole document, as GetThingShadow returns it.
    pub fn as_answer(&self, now: u64) -> Value {
        let mut answer = self.as_state();
        if let Some(state) = answer.get_mut("state").and_then(Value::as_object_mut)
            && let Some(delta) = difference(&self.desired.state, &self.reported.state)
        {
            state.insert("delta".to_owned(), Value::Object(delta));
        }
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("timestamp".to_owned(), json!(now));
        }
        answer
    }

    /// Deletes the document; its version remains.
    pub fn clear(&mut self, now: u64) {
        *self = Self { version: self.version + 1, timestamp: now, ..Self::default() };
    }

    fn as_state(&self) -> Value {
        let (mut state, mut metadata) = (Object::new(), Object::new());
        for (name, section) in [("desired", &self.desired), ("reported", &self.reported)] {
            if !section.state.is_empty() {
                state.insert(name.to_owned(), Value::Object(section.state.clone()));
                metadata.insert(name.to_owned(), Value::Object(section.metadata.clone()));
            }
        }
        json!({"state": state, "metadata": metadata, "version": self.version})
    }
}

/// Adds `clientToken` to the body, if there is one.
pub fn with_token(mut body: Value, token: Option<&str>) -> Value {
    if let (Some(body), Some(token)) = (body.as_object_mut(), token) {
        body.insert("clientToken".to_owned(), json!(token));
    }
    body
}

/// `null` deletes a key, an object is merged key by key, any other value replaces the old one.
fn merge(state: &mut Object, metadata: &mut Object, change: &Object, now: u64) {
    for (key, value) in change {
        match value {
            Value::Null => {
                state.remove(key);
                metadata.remove(key);
            }
            Value::Object(inner) => {
                let (mut old, mut times) = match (state.remove(key), metadata.remove(key)) {
                    (Some(Value::Object(old)), Some(Value::Object(times))) => (old, times),
                    _ => (Object::new(), Object::new()),
                };
                merge(&mut old, &mut times, inner, now);
                state.insert(key.clone(), Value::Object(old));
                metadata.insert(key.clone(), Value::Object(times));
            }
            value => {
                state.insert(key.clone(), value.clone());
                metadata.insert(key.clone(), stamp(value, now));
            }
        }
    }
}

fn stamp(value: &Value, now: u64) -> Value {
    match value {
        Value::Object(object) => stamped(object, now),
        Value::Array(values) => values.iter().map(|value| stamp(value, now)).collect(),
        _ => json!({"timestamp": now}),
    }
}

fn stamped(object: &Object, now: u64) -> Value {
    Value::Object(object.iter().map(|(key, value)| (key.clone(), stamp(value, now))).collect())
}

fn without_nulls(object: &Object) -> Object {
    let kept = object.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(key, value)| (key.clone(), value.as_object().map_or_else(|| value.clone(), |inner| Value::Object(without_nulls(inner)))))
        .collect()
}

/// The part of `desired` that differs from `reported`; lists are compared as a whole.
fn difference(desired: &Object, reported: &Object) -> Option<Object> {
    let mut delta = Object::new();
    for (key, wanted) in desired {
        match (wanted, reported.get(key)) {
            (wanted, Some(is)) if wanted == is => {}
            (Value::Object(wanted), Some(Value::Object(is))) => {
                if let Some(inner) = difference(wanted, is) {
                    delta.insert(key.clone(), Value::Object(inner));
                }
            }
            (wanted, _) => {
                delta.insert(key.clone(), wanted.clone());
            }
        }
    }
    (!delta.is_empty()).then_some(delta)
}

/// The metadata of the keys in `delta`.
fn picked(metadata: &Object, delta: &Object) -> Object {
    let mut kept = Object::new();
    for (key, value) in delta {
        match (value, metadata.get(key)) {
            (Value::Object(value), Some(Value::Object(inner))) => {
                kept.insert(key.clone(), Value::Object(picked(inner, value)));
            }
            (_, Some(leaf)) => {
                kept.insert(key.clone(), leaf.clone());
            }
            (_, None) => {}
        }
    }
    kept
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.values().map(depth).max().unwrap_or(0) + 1,
        Value::Array(values) => values.iter().map(depth).max().unwrap_or(0) + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(document: &mut Document, body: &Value, now: u64) -> Result<Accepted, Rejection> {
        document.update(&Update::read(body.to_string().as_bytes())?, now)
    }

    #[test]
    fn a_desired_and_a_reported_state_go_through_a_delta() {
        let mut document = Document::default();
        let wish = json!({"state": {"desired": {"temperature": 75, "mode": "Auto"}}, "clientToken": "t-1"});
        let said = change(&mut document, &wish, 10).unwrap();
        assert_eq!(
            said.accepted,
            json!({"state": {"desired": {"temperature": 75, "mode": "Auto"}}, "version": 1, "timestamp": 10, "clientToken": "t-1",
                "metadata": {"desired": {"temperature": {"timestamp": 10}, "mode": {"timestamp": 10}}}})
        );
        assert_eq!(
            said.delta.unwrap(),
            json!({"state": {"temperature": 75, "mode": "Auto"}, "version": 1, "timestamp": 10, "clientToken": "t-1",
                "metadata": {"temperature": {"timestamp": 10}, "mode": {"timestamp": 10}}})
        );
        let said = change(&mut document, &json!({"state": {"reported": {"temperature": 75, "humidity": 40}}}), 11).unwrap();
        assert_eq!(said.delta.unwrap()["state"], json!({"mode": "Auto"}), "only what still differs");
        assert_eq!(said.documents["previous"]["version"], 1);
        assert_eq!(said.documents["current"]["state"]["reported"], json!({"temperature": 75, "humidity": 40}));
        assert_eq!(said.documents["current"]["state"].get("delta"), None, "`documents` carries no delta");
        let said = change(&mut document, &json!({"state": {"reported": {"mode": "Auto"}}}), 12).unwrap();
        assert_eq!(said.delta, None);
        let whole = document.as_answer(13);
        assert_eq!(whole["version"], 3);
        assert_eq!(
            whole["state"],
            json!({"desired": {"temperature": 75, "mode": "Auto"}, "reported": {"temperature": 75, "humidity": 40, "mode": "Auto"}})
        );
        assert_eq!(whole["metadata"]["reported"]["mode"], json!({"timestamp": 12}));
    }

    #[test]
    fn null_deletes_a_key_or_a_section() {
        let mut document = Document::default();
        change(&mut document, &json!({"state": {"desired": {"a": 1, "b": {"c": 1, "d": 2}}, "reported": {"a": 1}}}), 1).unwrap();
        change(&mut document, &json!({"state": {"desired": {"a": null, "b": {"c": null}}}}), 2).unwrap();
        assert_eq!(document.as_answer(2)["state"]["desired"], json!({"b": {"d": 2}}));
        assert_eq!(document.as_answer(2)["metadata"]["desired"], json!({"b": {"d": {"timestamp": 1}}}));
        change(&mut document, &json!({"state": {"desired": null}}), 3).unwrap();
        assert_eq!(document.as_answer(3)["state"], json!({"reported": {"a": 1}}));
    }

    #[test]
    fn a_nested_delta_names_only_what_differs() {
        let mut document = Document::default();
        let state = json!({"state": {"desired": {"a": {"x": 1, "y": 2}, "l": [1, 2]}, "reported": {"a": {"x": 1, "y": 3}, "l": [1]}}});
        let said = change(&mut document, &state, 5).unwrap();
        let delta = said.delta.unwrap();
        assert_eq!(delta["state"], json!({"a": {"y": 2}, "l": [1, 2]}));
        assert_eq!(delta["metadata"], json!({"a": {"y": {"timestamp": 5}}, "l": [{"timestamp": 5}, {"timestamp": 5}]}));
    }

    #[test]
    fn a_version_that_differs_is_a_conflict_and_changes_nothing() {
        let mut document = Document::default();
        change(&mut document, &json!({"state": {"desired": {"a": 1}}}), 1).unwrap();
        for (version, accepted) in [(0, false), (2, false), (1, true), (1, false)] {
            let before = document.clone();
            let said = change(&mut document, &json!({"state": {"desired": {"a": 2}}, "version": version, "clientToken": "x"}), 2);
            assert_eq!(said.is_ok(), accepted, "{version}");
            if let Err(rejection) = said {
                assert_eq!(rejection.body(7), json!({"code": 409, "message": "Version conflict", "timestamp": 7, "clientToken": "x"}));
                assert_eq!(document, before);
            }
        }
    }

    #[test]
    fn an_invalid_update_is_refused_with_the_code_of_aws() {
        let deep = format!(r#"{{"state":{{"desired":{}1{}}}}}"#, r#"{"a":"#.repeat(9), "}".repeat(9));
        let large = format!(r#"{{"state":{{"desired":{{"a":"{}"}}}}}}"#, "x".repeat(9000));
        for (body, code) in [
            ("", 400),
            ("{", 400),
            ("[]", 400),
            ("{}", 400),
            (r#"{"state":1}"#, 400),
            (r#"{"state":{"desired":1}}"#, 400),
            (r#"{"state":{"wished":{}}}"#, 400),
            (r#"{"state":{},"version":"1"}"#, 400),
            (r#"{"state":{},"version":-1}"#, 400),
            (r#"{"state":{},"clientToken":1}"#, 400),
            (deep.as_str(), 400),
            (large.as_str(), 413),
        ] {
            assert_eq!(Update::read(body.as_bytes()).map_err(|r| r.code), Err(code), "{body}");
        }
        let token = Update::read(br#"{"clientToken":"t"}"#).unwrap_err();
        assert_eq!(token.client_token.as_deref(), Some("t"), "a refusal carries the token too");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_update_or_a_rejection(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Update::read(&bytes);
        }
    }
}
