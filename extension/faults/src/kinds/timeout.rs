//! The event is held until the deadline has passed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, GATEWAY, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::trigger::Trigger;

/// The handler sees the event too late or not at all. The platform ends the environment at the deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hold {
    /// The share of the time to the deadline that is held, more than 0 and at most 1; 1 is a timeout.
    #[serde(default = "all", rename = "share-of-deadline")]
    pub share_of_deadline: f64,
}

const fn all() -> f64 {
    1.0
}

/// What the callers of a function see that runs into its timeout.
pub(super) const TIMED_OUT: [&str; Trigger::ALL.len()] = [
    "200 with `X-Amz-Function-Error` and `Task timed out`",
    "502; 504 from 29 s",
    "500, body `{\"message\":null}`",
    "back on the queue after the visibility timeout; over maxReceiveCount to the DLQ",
    "the whole batch again, the shard blocked, until it succeeds, expires (24 h) or is bisected",
    "after 5 s Cognito calls again, 3 calls at most, then the sign-in fails",
    "`Lambda.Unknown`",
    "two more tries, then the DLQ or destination",
];

impl Settings for Hold {
    fn decide(&self, _: Roll) -> Action {
        Action::HoldOfDeadline { share: self.share_of_deadline }
    }

    fn complaints(&self) -> Vec<Complaint> {
        if self.share_of_deadline > 0.0 && self.share_of_deadline <= 1.0 {
            return Vec::new();
        }
        vec![Complaint::new("share-of-deadline", format!("`{}` is outside 0 to 1, 0 excluded", self.share_of_deadline))]
    }

    fn effect(&self, timeout: Duration) -> Effect {
        if self.share_of_deadline >= 1.0 {
            return Effect::times_out(timeout);
        }
        Effect::of(Ending::Success, Longer::Invocation(timeout.mul_f64(self.share_of_deadline.clamp(0.0, 1.0))))
    }

    fn mean_wait_s(&self) -> f64 {
        self.share_of_deadline * GATEWAY.as_secs_f64()
    }

    const ENDS_THE_INVOCATION: bool = true;

    const EXAMPLE: &'static str = r#"timeout = { share-of-deadline = 1.0 }"#;

    const SEEN: &'static [Seen] = &[Seen { with: "", by: TIMED_OUT }];
}
