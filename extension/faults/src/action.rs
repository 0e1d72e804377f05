//! What happens to one invocation. A fault decides on it; something else carries it out.

use std::time::Duration;

/// Before the handler sees the event, or after it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Moment {
    /// The event is held back; no side effect has happened.
    Before,
    /// The answer is held back; the side effects have happened.
    After,
}

/// What to do with one invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Hand everything on untouched.
    Pass,
    /// Hold the event (before) or the answer (after) for `time`.
    Wait {
        /// Which of the two is held.
        moment: Moment,
        /// For how long.
        time: Duration,
    },
    /// The handler never runs; an error is posted in its place.
    Refuse {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// The handler runs; its answer is thrown away and an error posted in its place (a lost acknowledgement).
    LoseAnswer {
        /// Lambda's `errorType`.
        error_type: String,
        /// Lambda's `errorMessage`.
        message: String,
    },
    /// The handler runs; this body is posted in place of its answer.
    Replace {
        /// The bytes to post.
        body: String,
    },
    /// The event is held until this share of the time to the deadline has passed; 1 and more is a timeout.
    HoldOfDeadline {
        /// Share of the time left when the event arrived.
        share: f64,
    },
}

impl Action {
    /// The name that stands in the ledger.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Wait { moment: Moment::Before, .. } => "wait-before",
            Self::Wait { moment: Moment::After, .. } => "wait-after",
            Self::Refuse { .. } => "refuse",
            Self::LoseAnswer { .. } => "lose-answer",
            Self::Replace { .. } => "replace",
            Self::HoldOfDeadline { .. } => "hold-of-deadline",
        }
    }

    /// Whether the handler is kept from seeing the event.
    pub const fn keeps_handler_from_running(&self) -> bool {
        matches!(self, Self::Refuse { .. })
    }
}
