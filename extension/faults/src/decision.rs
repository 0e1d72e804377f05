//! The result of a roll. Other code carries it out.

use crate::action::Action;
use crate::arm::Arm;

/// What was decided about one invocation and one fault that applies to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// What to do; [`Action::Pass`] for control.
    pub action: Action,
    /// The id of the message that the roll depends on, if it was looked for in the event and found.
    pub message: Option<String>,
    /// The number of the call that the roll depends on, if calls are counted (see [`crate::identity::By::Call`]); 1 otherwise.
    pub call: u32,
}
