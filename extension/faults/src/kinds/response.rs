//! Another answer takes the place of the handler's. It may never be one that lets somebody in.

use std::collections::BTreeMap;

use rand_distr::{Distribution, StandardUniform};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Seen, Settings};
use crate::{Action, Alteration, Complaint, Roll};

/// One of: an HTTP answer (`status`, `headers`, `body`), a raw one (`raw`), or damage to the handler's own (`cut-at`, `corrupt`, `drop`).
/// The handler has run, its effects are done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
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
    /// Only so many bytes of the handler's answer are posted; 0 and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<u64>,
    /// So many bytes of the handler's answer, at places that the roll chooses, become 0xFF; 1 to 1048576.
    /// No UTF-8 text has such a byte, so that nothing that was damaged can be read as leave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<u64>,
    /// The handler's answer never reaches the platform: the invocation runs into its timeout.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
}

impl Replacement {
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
}

impl Settings for Replacement {
    fn decide(&self, roll: Roll) -> Action {
        match (self.cut_at, self.corrupt, self.drop) {
            (Some(bytes), _, _) => Action::Alter(Alteration::Cut { bytes }),
            (_, Some(bytes), _) => Action::Alter(Alteration::Corrupt { bytes, seed: StandardUniform.sample(&mut roll.stream()) }),
            (_, _, true) => Action::Alter(Alteration::Drop),
            _ => Action::Replace { body: self.answer() },
        }
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let ways = [self.status.is_some(), self.raw.is_some(), self.cut_at.is_some(), self.corrupt.is_some(), self.drop];
        if ways.iter().filter(|way| **way).count() != 1 {
            let what = "give exactly one of `status` (with `headers` and `body`), `raw`, `cut-at`, `corrupt` and `drop = true`";
            complaints.push(Complaint::new("", what));
        }
        if self.status.is_none() && (self.body.is_some() || !self.headers.is_empty()) {
            complaints.push(Complaint::new("", "`headers` and `body` go with a `status`"));
        }
        if let Some(status) = self.status
            && !(400..=599).contains(&status)
        {
            complaints
                .push(Complaint::new("status", format!("`{status}` is outside 400 to 599; a fault never answers that something worked")));
        }
        if self.corrupt.is_some_and(|bytes| !(1..=1 << 20).contains(&bytes)) {
            complaints.push(Complaint::new("corrupt", "it is 1 to 1048576 bytes"));
        }
        for (key, text) in [("body", &self.body), ("raw", &self.raw)] {
            if text.as_deref().is_some_and(could_allow) {
                complaints.push(Complaint::new(key, "it could allow something (`Allow` stands in it); a fault never opens a door"));
            }
        }
        complaints
    }

    const SEEN: &'static [Seen] = &[
        Seen {
            with: "status",
            by: [
                "200 with that answer; Lambda's `Errors` metric stays 0",
                "the status that is set; Lambda's `Errors` metric stays 0",
                "500: it is not a policy",
                "deleted: any answer without an error is success",
                "ignored: success",
                "the sign-in fails: unreadable output",
                "accepted as success",
                "success",
            ],
        },
        Seen {
            with: "raw",
            by: [
                "200 with that answer",
                "502, unless it has a `statusCode` of its own",
                "500: it is not a policy",
                "deleted: any answer without an error is success",
                "ignored: success",
                "the sign-in fails: unreadable output",
                "accepted as success where it is JSON",
                "success",
            ],
        },
        Seen {
            with: "cut-at, corrupt",
            by: [
                "200 with what is left of the answer",
                "502: it is no JSON any more",
                "500: it is not a policy",
                "deleted: any answer without an error is success",
                "ignored: success",
                "the sign-in fails: unreadable output",
                "the task fails: its output is no JSON",
                "success",
            ],
        },
        Seen { with: "drop", by: super::timeout::TIMED_OUT },
    ];
}

/// Whether a text could be read as leave: the word "allow" anywhere in a value or key, or `isAuthorized`/`authorized` being true,
/// with JSON's escapes and JSON within JSON undone. Too strict on purpose.
pub fn could_allow(text: &str) -> bool {
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
        Replacement { raw: Some(text.to_owned()), ..Replacement::default() }
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
            let replacement = Replacement { status: Some(status), ..Replacement::default() };
            assert_eq!(replacement.complaints().is_empty(), fine, "{status}");
        }
    }

    #[test]
    fn an_answer_is_replaced_or_damaged_in_exactly_one_way() {
        for (text, fine) in [
            (r#"{"status":500}"#, true),
            (r#"{"cut-at":0}"#, true),
            (r#"{"corrupt":3}"#, true),
            (r#"{"drop":true}"#, true),
            (r#"{}"#, false),
            (r#"{"drop":true,"cut-at":1}"#, false),
            (r#"{"corrupt":0}"#, false),
            (r#"{"drop":true,"body":"x"}"#, false),
        ] {
            let replacement: Replacement = serde_json::from_str(text).unwrap();
            assert_eq!(replacement.complaints().is_empty(), fine, "{text}");
        }
    }
}
