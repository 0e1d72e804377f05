//! The events of an execution, as in `GetExecutionHistory`, and how often each state was tried. It
//! judges nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::definition::Name;
use crate::failure::Failure;

/// The most events of a standard execution. Source: Step Functions, service quotas.
const MOST_EVENTS: usize = 25_000;

/// JSON as text.
pub type Text = Arc<str>;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// From 1.
    pub id: u64,
    /// The preceding event; 0 for the first ones.
    pub previous: u64,
    /// Since the execution began.
    pub at: Duration,
    /// What happened.
    pub what: What,
}

/// The type of a state, as in events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Task.
    Task,
    /// A Parallel.
    Parallel,
    /// A Map.
    Map,
    /// A Choice.
    Choice,
    /// A Wait.
    Wait,
    /// A Pass.
    Pass,
    /// A Succeed.
    Succeed,
    /// A Fail.
    Fail,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The execution began with this input.
    Started(Text),
    /// It ended with this output.
    Succeeded(Text),
    /// It failed.
    Failed(Failure),
    /// It timed out.
    TimedOut,
    /// It was stopped, with an error and a cause that may be empty.
    Stopped(Failure),
    /// A state was entered with this input.
    Entered(Kind, Name, Text),
    /// A state was left with this output.
    Exited(Kind, Name, Text),
    /// A task is to be done: its resource, its parameters and its time.
    TaskScheduled(Name, Text, Option<Duration>),
    /// It was started.
    TaskStarted(Name),
    /// It succeeded with this result.
    TaskSucceeded(Name, Text),
    /// It failed.
    TaskFailed(Name, Failure),
    /// It timed out.
    TaskTimedOut(Name, Failure),
    /// It was cancelled because another branch failed, or the execution timed out.
    TaskAborted,
    /// The branches began.
    ParallelStarted,
    /// All branches succeeded.
    ParallelSucceeded,
    /// A branch failed, and therefore the state.
    ParallelFailed,
    /// A Map begins with this many items.
    MapStarted(usize),
    /// The states of an item began: the Map's name, and the item's position.
    IterationStarted(Name, usize),
    /// They succeeded.
    IterationSucceeded(Name, usize),
    /// They failed.
    IterationFailed(Name, usize),
    /// They were cancelled because another item failed, or the execution timed out.
    IterationAborted(Name, usize),
    /// The states succeeded for all items.
    MapSucceeded,
    /// They failed for an item, and therefore the state.
    MapFailed,
}

/// The history of one execution.
#[derive(Debug)]
pub struct History {
    began: Instant,
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    tries: BTreeMap<Name, u32>,
}

impl Default for History {
    fn default() -> Self {
        Self::begin()
    }
}

impl History {
    /// An empty history of a standard execution, which begins now.
    pub fn begin() -> Self {
        Self { began: Instant::now(), most: MOST_EVENTS, inner: Mutex::default() }
    }

    /// The same of an express execution, whose events have no limit.
    pub fn unlimited() -> Self {
        Self { most: usize::MAX, ..Self::begin() }
    }

    /// Notes that the execution was stopped.
    pub fn stop(&self, why: Failure) {
        self.add(0, What::Stopped(why));
    }

    /// The events so far.
    pub fn events(&self) -> Vec<Event> {
        self.inner().events.clone()
    }

    /// How often each state was entered or tried, so far.
    pub fn tries(&self) -> BTreeMap<Name, u32> {
        self.inner().tries.clone()
    }

    /// Adds an event and returns its id.
    pub(crate) fn add(&self, previous: u64, what: What) -> u64 {
        let at = self.began.elapsed();
        let mut inner = self.inner();
        let id = inner.events.len() as u64 + 1;
        inner.events.push(Event { id, previous, at, what });
        id
    }

    /// Counts a try of a state; returns its number, from 1.
    pub(crate) fn tried(&self, state: &Name) -> u32 {
        let mut inner = self.inner();
        let tries = inner.tries.entry(Arc::clone(state)).or_default();
        *tries += 1;
        *tries
    }

    /// Whether the execution has reached the limit.
    pub(crate) fn is_full(&self) -> bool {
        self.inner().events.len() >= self.most
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
