//! Another answer takes the place of the handler's. It may never be one that lets somebody in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Action, Complaint};

/// An HTTP answer (`status`, `headers`, `body`) or a raw one (`raw`). The handler has run, its effects are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replacement {
    /// The HTTP status, 400 to 599: a fault may close a door, never open one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The HTTP headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The HTTP body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The whole answer of the function, as it is, in place of the three above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

impl Replacement {
    /// The replacement of this invocation's answer.
    pub fn decide(&self) -> Action {
        Action::Replace { body: self.answer() }
    }

    fn answer(&self) -> String {
        match &self.raw {
            Some(raw) => raw.clone(),
            None => serde_json::json!({
                "statusCode": self.status.unwrap_or(500),
                "headers": self.headers,
                "body": self.body.as_deref().unwrap_or_default(),
                "isBase64Encoded": false,
            })
            .to_string(),
        }
    }

    /// Everything wrong with it; above all, whether it could allow something.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if self.raw.is_some() == self.status.is_some() {
            complaints.push(Complaint::new("", "give either `status` (with `headers` and `body`) or `raw`".to_owned()));
        }
        if let Some(status) = self.status
            && !(400..=599).contains(&status)
        {
            complaints
                .push(Complaint::new("status", format!("`{status}` is outside 400 to 599; a fault never answers that something worked")));
        }
        for (key, text) in [("body", &self.body), ("raw", &self.raw)] {
            if text.as_deref().is_some_and(could_allow) {
                complaints.push(Complaint::new(key, "it could allow something (`Allow` stands in it); a fault never opens a door"));
            }
        }
        complaints
    }
}

/// Whether a text could be read as leave: the word "allow" anywhere in a value or key, or `isAuthorized`/`authorized` being true,
/// with JSON's escapes and JSON within JSON undone. Too strict on purpose.
fn could_allow(text: &str) -> bool {
    says_allow(text) || serde_json::from_str::<Value>(text).is_ok_and(|value| value_allows(&value, 0))
}

fn says_allow(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("allow") || text.contains("permit")
}

fn value_allows(value: &Value, depth: u8) -> bool {
    match value {
        Value::String(text) => {
            says_allow(text) || (depth < 8 && serde_json::from_str::<Value>(text).is_ok_and(|inner| value_allows(&inner, depth + 1)))
        }
        Value::Array(values) => values.iter().any(|v| value_allows(v, depth)),
        Value::Object(map) => map.iter().any(|(key, v)| {
            let authorized = key.to_ascii_lowercase().contains("authorized") && !matches!(v, Value::Bool(false) | Value::Null);
            let ok = key == "statusCode" && v.as_u64().is_none_or(|status| status < 400);
            authorized || ok || says_allow(key) || value_allows(v, depth)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Replacement {
        Replacement { status: None, headers: BTreeMap::new(), body: None, raw: Some(text.to_owned()) }
    }

    #[test]
    fn what_could_open_a_door_is_refused() {
        for text in [
            r#"{"policyDocument":{"Statement":[{"Effect":"Allow"}]}}"#,
            r#"{"policyDocument":{"Statement":{"Effect":"aLLoW"}}}"#,
            r#"{"policyDocument":{"Statement":{"Effect":"\u0041llow"}}}"#,
            r#"{"body":"{\"evaluation\":{\"decision\":\"\\u0041LLOW\"}}"}"#,
            r#"{"isAuthorized":true}"#,
            r#"{"isAuthorized":"true"}"#,
            r#"{"statusCode":200}"#,
            r#"{"statusCode":"200"}"#,
            "ALLOW",
        ] {
            assert!(!raw(text).complaints().is_empty(), "{text}");
        }
    }

    #[test]
    fn what_closes_a_door_or_says_nothing_is_taken() {
        for text in [r#"{"statusCode":500,"body":"oops"}"#, r#"{"isAuthorized":false}"#, "garbage", "", "null"] {
            assert!(raw(text).complaints().is_empty(), "{text}");
        }
    }

    #[test]
    fn an_http_answer_is_an_error_status() {
        for (status, fine) in [(200, false), (302, false), (399, false), (400, true), (503, true), (600, false)] {
            let replacement = Replacement { status: Some(status), headers: BTreeMap::new(), body: None, raw: None };
            assert_eq!(replacement.complaints().is_empty(), fine, "{status}");
        }
    }
}
