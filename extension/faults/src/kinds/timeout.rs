//! The event is held until the deadline has passed.

use serde::{Deserialize, Serialize};

use crate::{Action, Complaint};

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

impl Hold {
    /// The hold of this invocation.
    pub const fn decide(&self) -> Action {
        Action::HoldOfDeadline { share: self.share_of_deadline }
    }

    /// Everything wrong with it.
    pub fn complaints(&self) -> Vec<Complaint> {
        if self.share_of_deadline > 0.0 && self.share_of_deadline <= 1.0 {
            return Vec::new();
        }
        vec![Complaint::new("share-of-deadline", format!("`{}` is outside 0 to 1, 0 excluded", self.share_of_deadline))]
    }
}
