//! Another answer takes the place of the handler's. It must never be one that grants access.

use std::time::Duration;

use std::collections::BTreeMap;

use rand_distr::{Distribution, StandardUniform};
use serde::{Deserialize, Serialize};

use crate::access::{answer_fits, could_grant, http_refusal};
use crate::action::{Action, Alteration};
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::trigger::Trigger;

/// One of: an HTTP answer (`status`, `headers`, `body`), a raw one (`raw`), or damage to the handler's own (`cut-at`, `corrupt`, `drop`).
/// The handler has run, its effects are done.
///
/// A raw answer is for functions that HTTP, a queue, a table's stream, a topic or a bucket invokes, and the event itself must show that: with any
/// other the invocation passes untouched. It is an HTTP answer with a `statusCode` of 400 to 599, or, except for HTTP, `{"batchItemFailures":[...]}`,
/// plain words such as `not json`, or nothing (`""`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Replacement {
    /// The HTTP status, 400 to 599: a fault may deny access, never grant it.
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
    /// Only this many bytes of the handler's answer are posted; 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_at: Option<u64>,
    /// This many bytes of the handler's answer, the first one and others at places that the roll chooses, become 0xFF; 1 to 1048576.
    /// No UTF-8 text has such a byte and no JSON begins with one, so a damaged answer can never be read as a grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<u64>,
    /// The handler's answer never reaches the platform: the invocation runs into its timeout.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop: bool,
}

impl Replacement {
    /// Whether it can be done to an invocation of this trigger.
    pub fn fits(&self, trigger: Trigger) -> bool {
        self.raw.as_deref().is_none_or(|raw| answer_fits(raw, trigger))
    }

    /// The HTTP status that it answers, where it is an HTTP answer.
    pub fn http_status(&self) -> Option<u16> {
        self.status.or_else(|| http_refusal(self.raw.as_deref()?))
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
}

impl Settings for Replacement {
    fn decide(&self, roll: Roll) -> Action {
        match (self.cut_at, self.corrupt, self.drop) {
            (Some(bytes), _, _) => Action::Alter(Alteration::Cut { bytes }),
            (_, Some(bytes), _) => Action::Alter(Alteration::Corrupt { bytes, seed: StandardUniform.sample(&mut roll.stream()) }),
            (_, _, true) => Action::Alter(Alteration::Drop),
            _ => Action::Replace { body: self.answer(), anywhere: self.raw.is_none() },
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
        if self.cut_at == Some(0) {
            complaints.push(Complaint::new("cut-at", "`0` makes an empty answer, which a caller may take for a good one; give 1 or more"));
        }
        if self.corrupt.is_some_and(|bytes| !(1..=1 << 20).contains(&bytes)) {
            complaints.push(Complaint::new("corrupt", "it is 1 to 1048576 bytes"));
        }
        if self.body.as_deref().is_some_and(could_grant) {
            let what =
                "it may grant access, or not every reader reads it alike; a fault never grants access: give a text, or JSON that says no";
            complaints.push(Complaint::new("body", what));
        }
        if !Trigger::ALL.into_iter().any(|trigger| self.fits(trigger)) {
            let what = "it is not known to deny access everywhere, and a fault never grants access; give an HTTP answer with a `statusCode` of 400 to 599, \
                        `{\"batchItemFailures\":[...]}`, plain words such as `not json`, or `\"\"`";
            complaints.push(Complaint::new("raw", what));
        }
        complaints
    }

    fn effect(&self, timeout: Duration) -> Effect {
        match self.http_status() {
            _ if self.drop => Effect::times_out(timeout),
            Some(status) => Effect::of(Ending::Status(status), Longer::Nothing),
            // It may name records that are to be delivered again.
            None if self.raw.is_some() => Effect::of(Ending::Depends, Longer::Nothing),
            None => Effect::of(Ending::Unreadable, Longer::Nothing),
        }
    }

    const ENDS_THE_INVOCATION: bool = true;

    fn depends_on_trigger(&self) -> bool {
        self.raw.is_some()
    }

    fn fits(&self, trigger: Trigger) -> bool {
        self.fits(trigger)
    }

    const EXAMPLE: &'static str = r#"response = { status = 503, body = "busy" }"#;

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
                "untouched: it is not known what the answer decides",
                "the `statusCode` that it has",
                "untouched: an authorizer's answer cannot be put in raw",
                "deleted, unless its `batchItemFailures` names the record",
                "ignored: success, unless its `batchItemFailures` names a record",
                "untouched: a sign-in's answer cannot be put in raw",
                "untouched: it is not known what the answer decides",
                "success (S3, SNS); EventBridge: untouched",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_may_grant_access_is_refused() {
        for (settings, key) in [
            (r#"{"raw":"{\"response\":{\"issueTokens\":true}}"}"#, "raw"),
            (r#"{"raw":"{\"response\":{\"answerCorrect\":true}}"}"#, "raw"),
            (r#"{"raw":"{\"Role\":\"arn:aws:iam::1:role/r\"}"}"#, "raw"),
            (r#"{"raw":"{\"message\":\"in\"}"}"#, "raw"),
            (r#"{"raw":"garbage"}"#, "raw"),
            (r#"{"status":500,"body":"{\"decision\":\"\\u0041LLOW\"}"}"#, "body"),
            (r#"{"status":500,"body":"{\"x\":\"\\ud800\",\"decision\":\"\\u0041LLOW\"}"}"#, "body"),
            (r#"{"status":500,"body":"Allow"}"#, "body"),
        ] {
            let complaints = serde_json::from_str::<Replacement>(settings).unwrap().complaints();
            assert_eq!(complaints.iter().map(|complaint| complaint.key.as_str()).collect::<Vec<_>>(), [key], "{settings}");
            assert!(complaints[0].what.contains("never grants access"), "{settings}");
        }
    }

    #[test]
    fn what_closes_a_door_or_says_nothing_is_taken() {
        for settings in [
            r#"{"raw":"{\"statusCode\":500,\"body\":\"oops\"}"}"#,
            r#"{"raw":"not json"}"#,
            r#"{"raw":""}"#,
            r#"{"raw":"{\"batchItemFailures\":[{\"itemIdentifier\":\"1\"}]}"}"#,
            r#"{"status":503,"body":"<h1>busy</h1>"}"#,
            r#"{"status":403,"body":"{\"message\":\"no\",\"isAuthorized\":false}"}"#,
        ] {
            assert_eq!(serde_json::from_str::<Replacement>(settings).unwrap().complaints(), [], "{settings}");
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
            (r#"{"cut-at":1}"#, true),
            (r#"{"cut-at":0}"#, false),
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
