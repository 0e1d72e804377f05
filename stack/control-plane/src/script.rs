//! Accidents at the n-th effect: a call, or anything else that a test counts as one.

use std::collections::BTreeMap;

use crate::answer::{Answer, Request};
use crate::edit::Edit;
use crate::routes::answer;
use crate::state::ControlPlane;

/// A failure at one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accident {
    /// The caller dies before the call is carried out: it gets no answer, and nothing changes.
    CrashBefore,
    /// The caller dies after the call.
    CrashAfter,
    /// 409.
    Busy,
    /// 412.
    Stale,
    /// 429.
    Throttled,
    /// 500; nothing changes.
    Internal,
    /// The call is carried out, and the connection closes without an answer.
    ReplyLost,
    /// The call never arrives, and the connection closes without an answer.
    RequestLost,
    /// Another user changes a function just before the call.
    Edit {
        /// The function by name.
        function: String,
        /// The change.
        edit: Edit,
    },
    /// Another user writes a parameter just before the call, or deletes it if there is no value.
    Parameter {
        /// The parameter by name.
        name: String,
        /// The new value.
        value: Option<String>,
    },
}

/// Which accident happens at which effect, counted from 0.
pub type Script = BTreeMap<u64, Accident>;

/// The outcome of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is answered.
    Answered(Answer),
    /// The connection closes without an answer.
    Closed,
    /// No answer: the caller is dead.
    Dead,
}

/// A control plane with planned accidents.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    /// The state.
    pub plane: ControlPlane,
    /// The planned accidents.
    pub script: Script,
    /// The effects so far.
    pub effects: u64,
    /// Whether the caller is dead: nothing from it arrives any more.
    pub dead: bool,
    /// The edits that changed something, in order, each with its function.
    pub edits: Vec<(String, Edit)>,
}

impl Scripted {
    /// Handles one call, with the accident planned for it.
    pub fn call(&mut self, request: &Request<'_>) -> Outcome {
        match self.happens() {
            _ if self.dead => Outcome::Dead,
            None | Some(Accident::Edit { .. } | Accident::Parameter { .. }) => Outcome::Answered(answer(&mut self.plane, request)),
            Some(Accident::Busy) => Outcome::Answered(Answer::busy("function")),
            Some(Accident::Stale) => Outcome::Answered(Answer::stale()),
            Some(Accident::Throttled) => Outcome::Answered(Answer::throttled()),
            Some(Accident::Internal) => Outcome::Answered(Answer::internal()),
            Some(Accident::RequestLost) => Outcome::Closed,
            Some(Accident::ReplyLost) => {
                answer(&mut self.plane, request);
                Outcome::Closed
            }
            Some(Accident::CrashBefore | Accident::CrashAfter) => {
                answer(&mut self.plane, request);
                self.dead = true;
                Outcome::Dead
            }
        }
    }

    /// Counts one effect that is not a call, such as a line in a journal; false if the caller dies
    /// instead of doing it. A caller that dies after it is dead for all later effects.
    pub fn effect(&mut self) -> bool {
        if self.dead {
            return false;
        }
        let accident = self.happens();
        self.dead |= accident == Some(Accident::CrashAfter);
        !self.dead || accident == Some(Accident::CrashAfter)
    }

    fn happens(&mut self) -> Option<Accident> {
        if self.dead {
            return None;
        }
        let accident = self.script.get(&self.effects).cloned();
        self.effects += 1;
        match &accident {
            Some(Accident::Edit { function, edit }) if self.plane.edit(function, edit) => self.edits.push((function.clone(), edit.clone())),
            Some(Accident::Parameter { name, value }) => self.plane.set_parameter(name, value.as_deref()),
            Some(Accident::CrashBefore) => self.dead = true,
            _ => (),
        }
        accident
    }
}
