//! The environment starts slowly or not at all. It is decided for each environment, by its name, not for each invocation.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::injected_error::InjectedError;
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::time::Time;

/// What happens when the runtime first asks for an event: until then the platform counts the environment as starting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Init {
    /// The first `next` is held back for this time; more than 0, at most 15m. Lambda starts over after 10 s, within the invocation's timeout.
    Slow(Time),
    /// An init error is posted in the runtime's name and its process is killed.
    Failed(InjectedError),
}

impl Settings for Init {
    fn decide(&self, _: Roll) -> Action {
        match self {
            Self::Slow(time) => Action::SlowStart { time: time.duration() },
            Self::Failed(error) => Action::FailStart { error_type: error.error_type.clone(), message: error.message.clone() },
        }
    }

    fn complaints(&self) -> Vec<Complaint> {
        match self {
            Self::Slow(time) if time.duration().is_zero() || time.duration() > super::latency::LONGEST => {
                vec![Complaint::new("slow", format!("`{time}` is not more than 0 and at most `15m`"))]
            }
            Self::Slow(_) => Vec::new(),
            Self::Failed(error) => crate::injected_error::complaints(&error.error_type, &error.message)
                .into_iter()
                .map(|complaint| complaint.within("failed"))
                .collect(),
        }
    }

    fn effect(&self, _: Duration) -> Effect {
        match self {
            Self::Slow(_) => Effect::of(Ending::Success, Longer::Start),
            Self::Failed(_) => Effect::FAILS,
        }
    }

    fn mean_wait_s(&self) -> f64 {
        match self {
            Self::Slow(time) => time.duration().as_secs_f64(),
            Self::Failed(_) => 0.0,
        }
    }

    const ENDS_THE_INVOCATION: bool = false;

    const EXAMPLE: &'static str = r#"init = { slow = "2s" }"#;

    const SEEN: &'static [Seen] = &[
        Seen {
            with: "slow",
            by: [
                "200, the first of the environment later",
                "200, the first of the environment later; 504 from 29 s",
                "200, the first of the environment later",
                "deleted, the first of the environment later",
                "the shard goes on, later",
                "signed in, later; after 5 s Cognito calls again",
                "the task succeeds, later",
                "nothing: no caller waits",
            ],
        },
        Seen { with: "failed", by: super::error::FAILED },
    ];
}
