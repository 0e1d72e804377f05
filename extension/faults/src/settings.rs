//! What every kind of fault provides, besides the shape of its settings.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::roll::Roll;
use crate::trigger::Trigger;

/// What every kind of fault provides.
pub trait Settings {
    /// The action for an invocation that is struck.
    fn decide(&self, roll: Roll) -> Action;

    /// Everything that is wrong with the settings.
    fn complaints(&self) -> Vec<Complaint>;

    /// Whether it decides how the invocation ends. Only one such fault can be carried out on an
    /// invocation.
    const ENDS_THE_INVOCATION: bool;

    /// Whether it can strike a cloud service too; otherwise only a function.
    const FITS_A_SERVICE: bool = false;

    /// Whether it only takes time: the caller still gets the handler's own answer, so that an error
    /// of a struck request comes from the system.
    const ONLY_TAKES_TIME: bool = false;

    /// Whether it can be carried out only if the event shows what invoked the function, and that
    /// this trigger does not decide about access.
    fn depends_on_trigger(&self) -> bool {
        false
    }

    /// Whether it can be carried out on an invocation by this trigger. An invocation of another
    /// trigger passes untouched.
    fn fits(&self, _: Trigger) -> bool {
        true
    }

    /// Its effect on an invocation that it fits, of a function with this timeout.
    fn effect(&self, timeout: Duration) -> Effect;

    /// The seconds by which it delays a request on average; 0 if it answers at once, or if the
    /// delay is not known here.
    fn mean_wait_s(&self) -> f64 {
        0.0
    }

    /// An example for an experiment file.
    const EXAMPLE: &'static str;

    /// What the caller sees, one row for each variant of the settings that makes a difference.
    const SEEN: &'static [Seen];
}

/// What the caller of a struck invocation sees.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The settings; empty if they make no difference.
    pub with: &'static str,
    /// In the order of [`Trigger::ALL`]. A text that begins with a number begins with the HTTP status.
    pub by: [&'static str; Trigger::ALL.len()],
}
