//! Accidents at the n-th effect: a call, or whatever else a test counts as one.

use std::collections::BTreeMap;

use crate::answer::{Answer, Request};
use crate::edit::Edit;
use crate::routes::answer;
use crate::state::ControlPlane;

/// What goes wrong at one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accident {
    /// The caller dies before the call is carried out: no answer ever comes, and nothing changes.
    CrashBefore,
    /// The caller dies after it.
    CrashAfter,
    /// 409.
    Busy,
    /// 412.
    Stale,
    /// 429.
    Throttled,
    /// 500; nothing changes.
    Internal,
    /// It is carried out, and the connection closes without an answer.
    ReplyLost,
    /// It never arrives, and the connection closes without an answer.
    RequestLost,
    /// Another user changes a function just before it.
    Edit {
        /// The function by name.
        function: String,
        /// What they do.
        edit: Edit,
    },
    /// Another user writes a parameter just before it, or, without a value, deletes it.
    Parameter {
        /// The parameter by name.
        name: String,
        /// What they write.
        value: Option<String>,
    },
}

/// Which accident happens at which effect, counted from 0.
pub type Script = BTreeMap<u64, Accident>;

/// What becomes of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is answered.
    Answered(Answer),
    /// The connection closes without an answer.
    Closed,
    /// Nothing ever comes: the caller is dead.
    Dead,
}

/// A control plane to which accidents happen.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    /// The state.
    pub plane: ControlPlane,
    /// What happens when.
    pub script: Script,
    /// The effects so far.
    pub effects: u64,
    /// Once the caller is dead, nothing of it arrives any more.
    pub dead: bool,
    /// The edits that changed something, in order, with the function.
    pub edits: Vec<(String, Edit)>,
}

impl Scripted {
    /// One call, and what happens to it.
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

    /// Counts one effect that is no call, such as a line in a journal; false where the caller dies instead of doing it. One that dies after it
    /// is dead for whatever follows.
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
