//! The invocation fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::injected_error;
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::trigger::Trigger;

/// An error takes the place of the answer. An HTTP caller sees 502, a caller behind a request authorizer 500; a queue delivers again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// Lambda's `errorType`; for a service, the name of the exception.
    #[serde(default = "injected_error::error_type", rename = "type")]
    pub error_type: String,
    /// Lambda's `errorMessage`.
    #[serde(default = "injected_error::message")]
    pub message: String,
    /// Whether the handler runs: false is an error in its place, true a lost acknowledgement (its effects are done).
    #[serde(default, rename = "handler-runs")]
    pub handler_runs: bool,
}

/// What the callers of a function see that fails.
pub(super) const FAILED: [&str; Trigger::ALL.len()] = [
    "200 with `X-Amz-Function-Error` and the error",
    "502",
    "500, body `{\"message\":null}`",
    "back on the queue after the visibility timeout; over maxReceiveCount to the DLQ",
    "the whole batch again, the shard blocked, until it succeeds, expires (24 h) or is bisected",
    "the sign-in fails",
    "the error's name is its type; retried only if listed",
    "two more tries, then the DLQ or destination",
];

/// The same after the handler has run.
pub(super) const FAILED_AFTER: [&str; Trigger::ALL.len()] = [
    "200 with `X-Amz-Function-Error` and the error; the effect is done",
    "502, and the effect is done",
    "500, body `{\"message\":null}`",
    "as if it had failed, and the work is done: a duplicate",
    "as if it had failed, and the side effects come again",
    "the sign-in fails after the row is written",
    "the error's name is its type; a retry duplicates",
    "two more tries, with duplicates",
];

impl Settings for Failure {
    fn decide(&self, _: Roll) -> Action {
        let (error_type, message) = (self.error_type.clone(), self.message.clone());
        if self.handler_runs { Action::LoseAnswer { error_type, message } } else { Action::Refuse { error_type, message } }
    }

    fn complaints(&self) -> Vec<Complaint> {
        injected_error::complaints(&self.error_type, &self.message)
    }

    fn effect(&self, _: Duration) -> Effect {
        Effect::FAILS
    }

    const ENDS_THE_INVOCATION: bool = true;
    const FITS_A_SERVICE: bool = true;

    const EXAMPLE: &'static str = r#"error = { type = "Sandbox.Timedout", handler-runs = true }"#;

    const SEEN: &'static [Seen] = &[
        Seen { with: "handler-runs = false", by: FAILED },
        Seen { with: "handler-runs = true (a lost acknowledgement)", by: FAILED_AFTER },
    ];
}
