//! What every kind of fault provides, beside the shape of its settings.

use std::time::Duration;

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::roll::Roll;
use crate::trigger::Trigger;

/// What every kind of fault provides.
pub trait Settings {
    /// What becomes of an invocation that is struck.
    fn decide(&self, roll: Roll) -> Action;

    /// Everything wrong with the settings.
    fn complaints(&self) -> Vec<Complaint>;

    /// Whether it decides how the invocation ends. Of several such faults only one can be carried out on an invocation.
    const ENDS_THE_INVOCATION: bool;

    /// Whether a cloud service can be struck by it, too; otherwise it needs a function.
    const FITS_A_SERVICE: bool = false;

    /// Whether it only takes time: the caller still gets the handler's own answer, so that an error of a struck request is the system's.
    const ONLY_TAKES_TIME: bool = false;

    /// Whether it can be done only if the event shows what invoked the function, and that this asks for no permission.
    fn depends_on_trigger(&self) -> bool {
        false
    }

    /// Whether it can be done to an invocation of this trigger. An invocation of another trigger passes untouched.
    fn fits(&self, _: Trigger) -> bool {
        true
    }

    /// What it does to an invocation that it fits, of a function with this timeout.
    fn effect(&self, timeout: Duration) -> Effect;

    /// The seconds for which it holds a request up on average; 0 where it answers at once, or slows down by what is not known here.
    fn mean_wait_s(&self) -> f64 {
        0.0
    }

    /// How it is written in an experiment.
    const EXAMPLE: &'static str;

    /// What the caller sees, one row for each way in which the settings make a difference to it.
    const SEEN: &'static [Seen];
}

/// What the caller of a struck invocation sees.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// With which settings; empty where they make no difference.
    pub with: &'static str,
    /// In the order of [`Trigger::ALL`]. A text that begins with a number begins with the HTTP status.
    pub by: [&'static str; Trigger::ALL.len()],
}
