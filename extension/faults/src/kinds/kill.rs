//! The runtime's process is killed, as it is when it runs out of memory: no `except` or `finally` runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Death};
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::time::Time;
use crate::trigger::Trigger;

/// SIGKILL to the process that asked for the event. The platform then starts another environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kill {
    /// When it dies.
    pub at: When,
}

/// When the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum When {
    /// Before the handler sees the event.
    Before,
    /// This time after the handler has seen it, unless it has answered by then; more than 0, at most 15m.
    Middle(Time),
    /// After the handler has answered, before the platform knows.
    After,
}

const DIED: [&str; Trigger::ALL.len()] = [
    "200 with `X-Amz-Function-Error` and `Runtime.ExitError`",
    "502",
    "500, body `{\"message\":null}`",
    "back on the queue after the visibility timeout; over maxReceiveCount to the DLQ",
    "the whole batch again, the shard blocked, until it succeeds, expires (24 h) or is bisected",
    "the sign-in fails",
    "`Lambda.Unknown`",
    "two more tries, then the DLQ or destination",
];

impl Settings for Kill {
    fn decide(&self, _: Roll) -> Action {
        Action::Kill(match self.at {
            When::Before => Death::Before,
            When::Middle(time) => Death::Middle { after: time.duration() },
            When::After => Death::After,
        })
    }

    fn complaints(&self) -> Vec<Complaint> {
        match self.at {
            When::Middle(time) if time.duration().is_zero() || time.duration() > super::latency::LONGEST => {
                vec![Complaint::new("at.middle", format!("`{time}` is not more than 0 and at most `15m`"))]
            }
            When::Before | When::Middle(_) | When::After => Vec::new(),
        }
    }

    fn effect(&self, _: Duration) -> Effect {
        Effect::FAILS
    }

    const ENDS_THE_INVOCATION: bool = true;

    const EXAMPLE: &'static str = r#"kill = { at = { middle = "20ms" } }"#;

    const SEEN: &'static [Seen] = &[Seen { with: "at = before (no effect), middle (part of it), after (all of it)", by: DIED }];
}
