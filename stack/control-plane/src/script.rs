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

/// The effects of a scenario, in order: of a call its path, otherwise nothing.
#[derive(Debug, Clone, Default)]
pub struct Effects(Vec<String>);

impl Effects {
    /// How many there were.
    pub fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap_or(u64::MAX)
    }

    /// Each accident at each of these effects, but for those that do nothing there, or the same as at a later one: nobody
    /// sees a change before a call that could see it, and what is not a call can only be a death. Effects after the last
    /// one are not known, and have every accident.
    pub fn cases(&self, effects: std::ops::Range<u64>, accidents: &[Accident]) -> Vec<(u64, Accident)> {
        let all = effects.flat_map(|effect| accidents.iter().map(move |accident| (effect, accident)));
        all.filter(|(effect, accident)| self.can_matter(*effect, accident)).map(|(effect, accident)| (effect, accident.clone())).collect()
    }

    fn can_matter(&self, effect: u64, accident: &Accident) -> bool {
        let Some(path) = usize::try_from(effect).ok().and_then(|effect| self.0.get(effect)) else { return true };
        match accident {
            Accident::CrashBefore | Accident::CrashAfter => true,
            _ if path.is_empty() => false,
            Accident::Edit { function, .. } => path.contains(function.as_str()),
            // All of Systems Manager's calls.
            Accident::Parameter { .. } => path == "/",
            _ => true,
        }
    }
}

/// A control plane with planned accidents.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    /// The state.
    pub plane: ControlPlane,
    /// The planned accidents.
    pub script: Script,
    /// The effects so far.
    pub effects: Effects,
    /// Whether the caller is dead: nothing from it arrives any more.
    pub dead: bool,
    /// The edits that changed something, in order, each with its function.
    pub edits: Vec<(String, Edit)>,
}

impl Scripted {
    /// Handles one call, with the accident planned for it.
    pub fn call(&mut self, request: &Request<'_>) -> Outcome {
        match self.happens(request.path) {
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
        let accident = self.happens("");
        self.dead |= accident == Some(Accident::CrashAfter);
        !self.dead || accident == Some(Accident::CrashAfter)
    }

    fn happens(&mut self, path: &str) -> Option<Accident> {
        if self.dead {
            return None;
        }
        let accident = self.script.get(&self.effects.count()).cloned();
        self.effects.0.push(path.to_owned());
        match &accident {
            Some(Accident::Edit { function, edit }) if self.plane.edit(function, edit) => self.edits.push((function.clone(), edit.clone())),
            Some(Accident::Parameter { name, value }) => self.plane.set_parameter(name, value.as_deref()),
            Some(Accident::CrashBefore) => self.dead = true,
            _ => (),
        }
        accident
    }
}
