//! The same event is handed over a second time, as every trigger with at-least-once delivery may do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};

/// The handler's first answer is thrown away, the event comes again with the same request id, and the second answer goes to the platform.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Again {}

impl Settings for Again {
    fn decide(&self, _: Roll) -> Action {
        Action::HandTwice
    }

    fn complaints(&self) -> Vec<Complaint> {
        Vec::new()
    }

    fn effect(&self, _: Duration) -> Effect {
        Effect::of(Ending::Success, Longer::SOME)
    }

    const ENDS_THE_INVOCATION: bool = false;
    const ONLY_TAKES_TIME: bool = true;

    const EXAMPLE: &'static str = r#"again = {}"#;

    const SEEN: &'static [Seen] = &[Seen {
        with: "",
        by: [
            "200, the second answer; the effect is done twice",
            "200, the second answer; the effect is done twice",
            "200, the second answer",
            "deleted; the work is done twice",
            "the shard goes on; the side effects come twice",
            "signed in; the row is written twice",
            "the task succeeds with the second answer",
            "success; the work is done twice",
        ],
    }];
}
