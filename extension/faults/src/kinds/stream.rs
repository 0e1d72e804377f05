//! The answer's bytes come late, slowly, or break off. The handler has run, its effects are done.

use serde::{Deserialize, Serialize};

use super::{Seen, Settings};
use crate::{Action, Complaint, InjectedError, Roll, time::Time};

/// How the bytes of the answer go to the platform. It is meant for streamed answers; a buffered one is uploaded in the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pace {
    /// Wait before the first byte of the answer; at most 15m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Time>,
    /// The answer goes on at so many bytes a second; 1 to 1073741824.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
    /// After so many bytes of the answer the connection is closed, or the stream ended with `error` where that is set; 0 and more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_after: Option<u64>,
    /// The trailers `Lambda-Runtime-Function-Error-Type` and `-Error-Body` end a streamed answer, after all of it or after `cut-after`.
    /// An answer that is not streamed has no trailers: it passes as the other settings say, and the ledger has the fault as not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<InjectedError>,
}

impl Settings for Pace {
    fn decide(&self, _: Roll) -> Action {
        Action::Stream(self.clone())
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if *self == Self::default() {
            complaints
                .push(Complaint::new("", "it changes nothing; give one of `first-byte`, `bytes-per-second`, `cut-after` and `error`"));
        }
        if self.first_byte.is_some_and(|time| time.duration() > super::latency::LONGEST) {
            complaints.push(Complaint::new("first-byte", "it is longer than `15m`, Lambda's longest timeout"));
        }
        if self.bytes_per_second.is_some_and(|rate| !(1..=1 << 30).contains(&rate)) {
            complaints.push(Complaint::new("bytes-per-second", "it is 1 to 1073741824"));
        }
        if let Some(error) = &self.error {
            let found = crate::injected_error::complaints(&error.error_type, &error.message);
            complaints.extend(found.into_iter().map(|complaint| complaint.within("error")));
        }
        complaints
    }

    const EXAMPLE: &'static str = r#"stream = { first-byte = "500ms", bytes-per-second = 4096 }"#;

    const SEEN: &'static [Seen] = &[
        Seen {
            with: "first-byte, bytes-per-second",
            by: [
                "200, later",
                "200, later",
                "200, later",
                "deleted, later",
                "the shard goes on, later",
                "signed in, later",
                "the task succeeds, later",
                "nothing: no caller waits",
            ],
        },
        Seen {
            with: "cut-after",
            by: [
                "200 with `X-Amz-Function-Error`; streamed: 200 that breaks off",
                "502, and the effect is done; streamed: 200 that breaks off",
                "500, body `{\"message\":null}`",
                "as if it had failed, and the work is done: a duplicate",
                "as if it had failed, and the side effects come again",
                "the sign-in fails after the row is written",
                "`Lambda.Unknown`; a retry duplicates",
                "two more tries, with duplicates",
            ],
        },
        Seen {
            with: "error, answer streamed",
            by: [
                "200, and `InvokeComplete` with the error",
                "200 that breaks off",
                "does not stream",
                "does not stream",
                "does not stream",
                "does not stream",
                "does not stream",
                "does not stream",
            ],
        },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_changes_something_within_its_bounds() {
        for (text, fine) in [
            ("{}", false),
            (r#"{"first-byte":"1s"}"#, true),
            (r#"{"first-byte":"16m"}"#, false),
            (r#"{"bytes-per-second":0}"#, false),
            (r#"{"cut-after":0}"#, true),
            (r#"{"error":{}}"#, true),
            (r#"{"error":{"type":"a b"}}"#, false),
        ] {
            let pace: Pace = serde_json::from_str(text).unwrap();
            assert_eq!(pace.complaints().is_empty(), fine, "{text}");
        }
    }
}
