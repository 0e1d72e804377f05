//! The event is edited before the handler sees it, in listed places only: never the caller, the request or its credentials.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::{Effect, Ending, Longer};
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::trigger::Trigger;

pub use crate::edits::Edits;

impl Settings for Edits {
    fn decide(&self, _: Roll) -> Action {
        Action::EditEvent(self.clone())
    }

    fn complaints(&self) -> Vec<Complaint> {
        self.complaints()
    }

    fn effect(&self, _: Duration) -> Effect {
        Effect::of(Ending::Depends, Longer::Nothing)
    }

    const ENDS_THE_INVOCATION: bool = false;

    fn depends_on_trigger(&self) -> bool {
        true
    }

    fn fits(&self, trigger: Trigger) -> bool {
        self.fits(trigger)
    }

    const EXAMPLE: &'static str = r#"event = { set = { "/body" = "not json" } }"#;

    const SEEN: &'static [Seen] = &[Seen {
        with: "",
        by: [
            "untouched: it is not known what the answer decides",
            "what the function makes of it; 502 if the answer may grant access",
            "untouched: an authorizer's event cannot be edited",
            "what the function makes of it",
            "what the function makes of it",
            "untouched: a sign-in's event cannot be edited",
            "untouched: it is not known what the answer decides",
            "what the function makes of it (S3, SNS); EventBridge: untouched",
        ],
    }];
}
