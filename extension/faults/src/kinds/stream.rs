//! The answer's bytes come late, slowly, or break off. The handler has run, its effects are done.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{ANSWER, Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};

pub use crate::pace::Pace;

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

    fn effect(&self, _: Duration) -> Effect {
        let slow = self.first_byte.is_some() || self.bytes_per_second.is_some();
        let ending = match (self.cut_after, &self.error) {
            (Some(_), _) => Ending::FunctionError,
            // Only an answer that is streamed has trailers.
            (None, Some(_)) => Ending::Depends,
            (None, None) => Ending::Success,
        };
        Effect::of(ending, if slow { Longer::SOME } else { Longer::Nothing })
    }

    fn mean_wait_s(&self) -> f64 {
        let first = self.first_byte.map_or(0.0, |time| time.duration().as_secs_f64());
        first + self.bytes_per_second.map_or(0.0, |rate| ANSWER / rate as f64)
    }

    const ENDS_THE_INVOCATION: bool = true;

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
