//! What the injections share: one invocation, where to send its answer, and whether its faults are still in force.
//! A wait ends as soon as its fault is not in force any more.

use std::time::{Duration, Instant};

use timer::wait;

use crate::connection::Connection;
use crate::invocation::SharedInvocation;
use crate::lock::lock;
use crate::plan_sources::Plans;
use crate::platform::Platform;
use crate::wait::{Waited, wait_while};

/// One invocation into which faults are injected.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) plans: &'a Plans,
    /// Its record in the ledger.
    pub(crate) record: &'a SharedInvocation,
}

/// One fault of an invocation that is being carried out.
#[derive(Clone, Copy)]
pub(crate) struct Injection<'a> {
    pub(crate) context: Context<'a>,
    /// The fault's index among those of the invocation.
    pub(crate) at: usize,
}

/// How a hold ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// It lasted its full time.
    Fully,
    /// It ended early: the fault is not in force any more.
    Over,
    /// The runtime disconnected.
    Abandoned,
}

impl<'a> Context<'a> {
    /// The fault at this index.
    pub(crate) const fn at(self, at: usize) -> Injection<'a> {
        Injection { context: self, at }
    }

    /// Writes a note to the ledger.
    pub(crate) fn note(&self, what: &str) {
        self.platform.ledger.note(what);
    }

    /// Writes the invocation's line, if it is not written yet.
    pub(crate) fn tell(&self) {
        self.platform.ledger.tell(self.record);
    }
}

impl<'a> Injection<'a> {
    pub(crate) const fn record(&self) -> &'a SharedInvocation {
        self.context.record
    }

    pub(crate) fn note(&self, what: &str) {
        self.context.note(what);
    }

    pub(crate) fn tell(&self) {
        self.context.tell();
    }

    /// Records whether the fault was carried out.
    pub(crate) fn done(&self, done: bool) {
        lock(self.record()).set_done(self.at, done);
    }

    /// Completes when the fault is not in force any more.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let record = lock(self.record());
        let fault = record.lines.get(self.at).map(|line| line.decision.fault.clone());
        self.context.plans.over(record.run.clone(), fault.into_iter().collect())
    }

    /// Holds the runtime for `time`, for as long as the fault is in force, and measures it.
    pub(crate) async fn hold(&self, runtime: &Connection, time: Duration) -> Held {
        let began = self.begin();
        let held = tokio::select! {
            biased;
            waited = wait_while(time, &runtime.stream) => if waited == Waited::Fully { Held::Fully } else { Held::Abandoned },
            () = self.over() => Held::Over,
        };
        self.end(began);
        self.done(held != Held::Abandoned);
        held
    }

    /// Waits for `time`; false if the fault ended before that, which ends the wait.
    pub(crate) async fn wait(&self, time: Duration) -> bool {
        let began = self.begin();
        let in_force = tokio::select! {
            biased;
            _ = wait(time) => true,
            () = self.over() => false,
        };
        self.end(began);
        in_force
    }

    fn begin(&self) -> Instant {
        let began = Instant::now();
        if let Some(line) = lock(self.record()).lines.get_mut(self.at) {
            line.since = Some(began);
        }
        began
    }

    fn end(&self, began: Instant) {
        if let Some(line) = lock(self.record()).lines.get_mut(self.at) {
            line.since = None;
            line.waited += began.elapsed();
        }
    }
}
