//! A state machine as it was understood. Every transition in it leads somewhere: who reads it has seen to that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::error_equals::ErrorEquals;
use crate::intrinsic::Source;
use crate::path::Path;
use crate::payload::Payload;
use crate::retry::Retrier;

/// A state's name, unique in its machine.
pub type Name = Arc<str>;

/// A state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its states.
    pub flow: Flow,
    /// `TimeoutSeconds` of the whole.
    pub timeout: Option<Duration>,
}

/// States and where they begin: a machine's, or those of a branch.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// `StartAt`.
    pub start_at: Name,
    /// `States`.
    pub states: BTreeMap<Name, State>,
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Work that another service does.
    Task(Task),
    /// Branches side by side.
    Parallel(Parallel),
    /// Hands on its input, or something made of it.
    Pass(Pass),
    /// Ends well.
    Succeed(Succeed),
    /// Ends badly.
    Fail(Fail),
}

/// What comes after a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Another state.
    Next(Name),
    /// Nothing.
    End,
}

/// A Task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// `Resource`.
    pub resource: Name,
    /// `TimeoutSeconds`.
    pub timeout: Option<Duration>,
    /// What goes in and out.
    pub shaping: Shaping,
    /// What becomes of its errors.
    pub handling: Handling,
    /// What comes after it.
    pub after: After,
}

/// A Parallel.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// `Branches`, at least one.
    pub branches: Vec<Flow>,
    /// What goes in and out.
    pub shaping: Shaping,
    /// What becomes of its errors.
    pub handling: Handling,
    /// What comes after it.
    pub after: After,
}

/// A Pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// `Result`: what takes the place of its input.
    pub result: Option<Value>,
    /// What goes in and out.
    pub shaping: Shaping,
    /// What comes after it.
    pub after: After,
}

/// A Succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succeed {
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath`.
    pub output: Selection,
}

/// A Fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    /// `Error`, or where it is taken from (`ErrorPath`).
    pub error: Option<Source>,
    /// `Cause`, or where it is taken from (`CausePath`).
    pub cause: Option<Source>,
}

/// What of its input a state works on, and what of its result it hands on. Source: developer guide, "Processing input and output".
#[derive(Debug, Clone, PartialEq)]
pub struct Shaping {
    /// `InputPath`.
    pub input: Selection,
    /// `Parameters`.
    pub parameters: Option<Payload>,
    /// `ResultSelector`.
    pub selector: Option<Payload>,
    /// `ResultPath`.
    pub result: ResultPlace,
    /// `OutputPath`.
    pub output: Selection,
}

/// `InputPath` and `OutputPath`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// A path; `$` is everything.
    Path(Path),
    /// Written `null`: an empty object.
    Nothing,
}

/// `ResultPath`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultPlace {
    /// The result is put there in the input; at `$` it takes the input's place.
    At(Path),
    /// Written `null`: the result is dropped.
    Nowhere,
}

/// What becomes of a state's errors.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Handling {
    /// `Retry`; the first that matches counts.
    pub retry: Vec<Retrier>,
    /// `Catch`, once no retry is left; the first that matches counts.
    pub catch: Vec<Catcher>,
}

/// One of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub errors: ErrorEquals,
    /// `ResultPath`: where in the state's input error and cause are put.
    pub result: ResultPlace,
    /// `Next`.
    pub next: Name,
}

impl Definition {
    /// Takes these errors out of what is retried and caught anywhere, whether by name or by a wildcard.
    pub fn leave_unhandled(&mut self, errors: &[String]) {
        self.flow.each_handling(&mut |handling| {
            handling.retry.retain_mut(|retrier| retrier.errors.leave_out(errors));
            handling.catch.retain_mut(|catcher| catcher.errors.leave_out(errors));
        });
    }

    /// Every Task, those within branches too.
    pub fn tasks(&self) -> Vec<(&Name, &Task)> {
        self.flow.tasks()
    }
}

impl Flow {
    fn each_handling(&mut self, change: &mut dyn FnMut(&mut Handling)) {
        for state in self.states.values_mut() {
            match state {
                State::Task(task) => change(&mut task.handling),
                State::Parallel(parallel) => {
                    change(&mut parallel.handling);
                    parallel.branches.iter_mut().for_each(|branch| branch.each_handling(change));
                }
                State::Pass(_) | State::Succeed(_) | State::Fail(_) => {}
            }
        }
    }

    fn tasks(&self) -> Vec<(&Name, &Task)> {
        let mut tasks = Vec::new();
        for (name, state) in &self.states {
            match state {
                State::Task(task) => tasks.push((name, task)),
                State::Parallel(parallel) => parallel.branches.iter().for_each(|branch| tasks.extend(branch.tasks())),
                State::Pass(_) | State::Succeed(_) | State::Fail(_) => {}
            }
        }
        tasks
    }
}

impl State {
    /// As `Type` names it.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Task(_) => "Task",
            Self::Parallel(_) => "Parallel",
            Self::Pass(_) => "Pass",
            Self::Succeed(_) => "Succeed",
            Self::Fail(_) => "Fail",
        }
    }

    /// The states that may come after it.
    pub(crate) fn successors(&self) -> Vec<&Name> {
        let (after, catch): (_, &[Catcher]) = match self {
            Self::Task(task) => (&task.after, &task.handling.catch),
            Self::Parallel(parallel) => (&parallel.after, &parallel.handling.catch),
            Self::Pass(pass) => (&pass.after, &[]),
            Self::Succeed(_) | Self::Fail(_) => return Vec::new(),
        };
        let next = if let After::Next(next) = after { Some(next) } else { None };
        next.into_iter().chain(catch.iter().map(|catcher| &catcher.next)).collect()
    }

    /// Whether a machine may end with it.
    pub(crate) const fn ends(&self) -> bool {
        match self {
            Self::Task(Task { after, .. }) | Self::Parallel(Parallel { after, .. }) | Self::Pass(Pass { after, .. }) => {
                matches!(after, After::End)
            }
            Self::Succeed(_) | Self::Fail(_) => true,
        }
    }
}
