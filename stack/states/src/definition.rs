//! A parsed state machine. Every transition leads to a state; the reader has checked that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::choice::Test;
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
    /// `TimeoutSeconds` of the machine.
    pub timeout: Option<Duration>,
}

/// States and the first of them: a machine's, or a branch's.
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
    /// Work for another service.
    Task(Task),
    /// Runs branches concurrently.
    Parallel(Parallel),
    /// Runs the same states for each item of a list.
    Map(Map),
    /// Goes on with the state of the first rule that holds.
    Choice(Choice),
    /// Waits.
    Wait(Wait),
    /// Passes on its input, or a value made from it.
    Pass(Pass),
    /// Ends the flow with success.
    Succeed(Succeed),
    /// Ends the flow with an error.
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
    pub timeout: Option<Given<Duration>>,
    /// Its input and output processing.
    pub shaping: Shaping,
    /// Its error handling.
    pub handling: Handling,
    /// What comes after it.
    pub after: After,
}

/// A value that the definition gives, or where the state's input has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Given<T> {
    /// The value.
    Here(T),
    /// Its path, as in `TimeoutSecondsPath`.
    At(Path),
}

/// A Map, inline.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// `ItemsPath`: the list.
    pub items: Path,
    /// `ItemSelector`: what the states get for an item; without it the item.
    pub item: Option<Payload>,
    /// `ItemProcessor`: the states.
    pub flow: Flow,
    /// `MaxConcurrency`: the most items at once; 0 is no limit of the definition's own.
    pub at_once: Given<u64>,
    /// Its input and output processing; it has no `Parameters`.
    pub shaping: Shaping,
    /// Its error handling.
    pub handling: Handling,
    /// What comes after it.
    pub after: After,
}

/// A Choice.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath`.
    pub output: Selection,
    /// `Choices`: each a test, and the state after it.
    pub rules: Vec<(Test, Name)>,
    /// `Default`: the state if no rule holds.
    pub default: Option<Name>,
}

/// A Wait.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// How long.
    pub until: Until,
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath`.
    pub output: Selection,
    /// What comes after it.
    pub after: After,
}

/// How long a Wait waits.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// `Seconds`, `SecondsPath`.
    Over(Given<Duration>),
    /// `Timestamp`, `TimestampPath`.
    Moment(Given<SystemTime>),
}

/// A Parallel.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// `Branches`, at least one.
    pub branches: Vec<Flow>,
    /// Its input and output processing.
    pub shaping: Shaping,
    /// Its error handling.
    pub handling: Handling,
    /// What comes after it.
    pub after: After,
}

/// A Pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// `Result`: replaces its input.
    pub result: Option<Value>,
    /// Its input and output processing.
    pub shaping: Shaping,
    /// What comes after it.
    pub after: After,
}

/// A Succeed.
#[derive(Debug, Clone, PartialEq)]
pub struct Succeed {
    /// `InputPath`.
    pub input: Selection,
    /// `OutputPath`.
    pub output: Selection,
}

/// A Fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Fail {
    /// `Error`, or where it is read from (`ErrorPath`).
    pub error: Option<Source>,
    /// `Cause`, or where it is read from (`CausePath`).
    pub cause: Option<Source>,
}

/// The part of its input that a state works on, and the part of its result that it passes on.
/// Source: developer guide, "Processing input and output".
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
#[derive(Debug, Clone, PartialEq)]
pub enum Selection {
    /// A path; `$` is everything.
    Path(Path),
    /// `null`: an empty object.
    Nothing,
}

/// `ResultPath`.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultPlace {
    /// The result is put at this path in the input; at `$` it replaces the input.
    At(Path),
    /// `null`: the result is dropped.
    Nowhere,
}

/// A state's error handling.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Handling {
    /// `Retry`; the first that matches applies.
    pub retry: Vec<Retrier>,
    /// `Catch`, when no retry is left; the first that matches applies.
    pub catch: Vec<Catcher>,
}

/// One of `Catch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Catcher {
    /// `ErrorEquals`.
    pub errors: ErrorEquals,
    /// `ResultPath`: where error and cause are put in the state's input.
    pub result: ResultPlace,
    /// `Next`.
    pub next: Name,
}

impl Definition {
    /// Excludes these errors from all retries and catches, whether they match by name or by a
    /// wildcard.
    pub fn leave_unhandled(&mut self, errors: &[String]) {
        self.flow.each_handling(&mut |handling| {
            handling.retry.retain_mut(|retrier| retrier.errors.leave_out(errors));
            handling.catch.retain_mut(|catcher| catcher.errors.leave_out(errors));
        });
    }

    /// Every Task, including those within branches and Maps.
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
                State::Map(map) => {
                    change(&mut map.handling);
                    map.flow.each_handling(change);
                }
                State::Pass(_) | State::Choice(_) | State::Wait(_) | State::Succeed(_) | State::Fail(_) => {}
            }
        }
    }

    fn tasks(&self) -> Vec<(&Name, &Task)> {
        let mut tasks = Vec::new();
        for (name, state) in &self.states {
            match state {
                State::Task(task) => tasks.push((name, task)),
                State::Parallel(parallel) => parallel.branches.iter().for_each(|branch| tasks.extend(branch.tasks())),
                State::Map(map) => tasks.extend(map.flow.tasks()),
                State::Pass(_) | State::Choice(_) | State::Wait(_) | State::Succeed(_) | State::Fail(_) => {}
            }
        }
        tasks
    }
}

impl State {
    /// What comes after it if it succeeds; `None` for a state that ends by itself or chooses.
    const fn after(&self) -> Option<&After> {
        match self {
            Self::Task(Task { after, .. })
            | Self::Parallel(Parallel { after, .. })
            | Self::Map(Map { after, .. })
            | Self::Pass(Pass { after, .. })
            | Self::Wait(Wait { after, .. }) => Some(after),
            Self::Choice(_) | Self::Succeed(_) | Self::Fail(_) => None,
        }
    }

    /// Its catchers.
    fn catchers(&self) -> &[Catcher] {
        match self {
            Self::Task(Task { handling, .. }) | Self::Parallel(Parallel { handling, .. }) | Self::Map(Map { handling, .. }) => {
                &handling.catch
            }
            Self::Pass(_) | Self::Choice(_) | Self::Wait(_) | Self::Succeed(_) | Self::Fail(_) => &[],
        }
    }

    /// The states that may come after it.
    pub(crate) fn successors(&self) -> Vec<&Name> {
        let next = self.after().and_then(|after| if let After::Next(next) = after { Some(next) } else { None });
        let chosen: Vec<&Name> = match self {
            Self::Choice(choice) => choice.rules.iter().map(|(_, next)| next).chain(&choice.default).collect(),
            _ => Vec::new(),
        };
        next.into_iter().chain(chosen).chain(self.catchers().iter().map(|catcher| &catcher.next)).collect()
    }

    /// Whether a machine may end with this state.
    pub(crate) const fn ends(&self) -> bool {
        match self {
            Self::Succeed(_) | Self::Fail(_) => true,
            _ => matches!(self.after(), Some(After::End)),
        }
    }
}
