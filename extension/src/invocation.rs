//! One invocation that faults apply to: the decisions about it, and how far each has been carried
//! out. It writes nothing and waits for nothing; the ledger and the injections share it behind a
//! lock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use faults::ledger::{Name, OfFault};
use faults::{Action, Decision, Start, Trigger};
use tokio::task::AbortHandle;

use crate::event::Event;
use crate::running::Running;

/// An invocation that is not answered yet: its record in the ledger.
pub type SharedInvocation = Arc<Mutex<Invocation>>;

/// The decisions about one invocation, and their results.
#[derive(Debug)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// The root of its trace, if it has one.
    pub root: Option<String>,
    /// The run whose plan decided.
    pub run: String,
    /// That plan's sequence number.
    pub sequence: u64,
    /// Cold or warm.
    pub start: Start,
    /// Its deadline, if known.
    pub deadline: Option<Instant>,
    /// One for each fault that is injected, or that needs more than its name in the ledger.
    pub lines: Vec<Line>,
    /// The other faults that apply to it: it is in their control arm.
    pub control: Vec<Name>,
    /// The task that writes the line in time if the deadline comes before an answer.
    pub guard: Option<AbortHandle>,
    /// Whether its line is written.
    pub told: bool,
    /// What must be known about the event when the handler answers.
    pub(crate) handed: Handed,
    /// What runs while the handler runs.
    pub running: Running,
}

/// How an event was handed over.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    /// The event, if it will be delivered again.
    pub(crate) again: Option<Event>,
    /// What sent the event, if it was edited: then the answer to it must not grant access.
    pub(crate) edited: Option<Trigger>,
}

/// One decision and how far it has been carried out.
#[derive(Debug)]
pub struct Line {
    /// What was decided.
    pub decision: Decision,
    /// How long the invocation has waited for it so far.
    pub waited: Duration,
    /// When the current wait began, if there is one.
    pub since: Option<Instant>,
    /// Whether it was carried out.
    pub done: bool,
    /// Whether it must not be carried out: the event does not show that its trigger does not decide
    /// about access.
    pub barred: bool,
}

impl Line {
    /// A decision that is not carried out yet; [`Action::Pass`] needs nothing.
    pub fn new(decision: Decision) -> Self {
        let done = decision.action == Action::Pass;
        Self { decision, waited: Duration::ZERO, since: None, done, barred: false }
    }

    /// What to do.
    pub const fn action(&self) -> &Action {
        if self.barred { &Action::Pass } else { &self.decision.action }
    }

    /// The decision as the ledger shows it.
    pub(crate) fn told(&self) -> OfFault {
        let waited = self.waited + self.since.map_or(Duration::ZERO, |since| since.elapsed());
        OfFault::of(self.decision.clone(), waited, self.done || self.since.is_some())
    }
}

impl Invocation {
    /// What to do, in the plan's order.
    pub fn actions(&self) -> Vec<Action> {
        self.lines.iter().map(|line| line.action().clone()).collect()
    }

    /// Records whether the fault at this index was carried out.
    pub(crate) fn set_done(&mut self, at: usize, done: bool) {
        if let Some(line) = self.lines.get_mut(at) {
            line.done = done;
        }
    }

    /// Ends the current wait, which does not count as done.
    pub(crate) fn cut_short(&mut self) {
        for line in &mut self.lines {
            if let Some(since) = line.since.take() {
                line.waited = line.waited.saturating_add(since.elapsed());
                line.done = false;
            }
        }
    }

    /// Whether nothing is left to do once the handler has the event.
    pub fn is_settled(&self) -> bool {
        !self.lines.iter().any(|line| line.action().acts_on_the_answer())
    }

    /// Marks its line as final: no guard is needed, and nothing may keep running for it.
    pub(crate) fn close(&mut self) {
        self.told = true;
        self.running = Running::default();
        if let Some(guard) = self.guard.take() {
            guard.abort();
        }
    }
}

/// Cold if the event with this number, from 1, is the first of a new environment.
pub const fn start(place: u64) -> Start {
    if place == 1 { Start::Cold } else { Start::Warm }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_invocation_is_cold() {
        assert_eq!([1, 2, 3].map(start), [Start::Cold, Start::Warm, Start::Warm]);
    }
}
