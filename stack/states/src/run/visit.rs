//! A visit to a Task or a Parallel: tries, waits between them, and caught errors.

use std::sync::Arc;

use serde_json::{Value, json};

use super::shape::placed;
use super::{Left, Run, Stopped};
use crate::definition::{After, Handling, Name, Parallel, Shaping, Task};
use crate::failure::Failure;
use crate::history::{History, Kind, What};
use crate::path::Scope;
use crate::retry::Retries;

/// The work of a state in each try.
enum Work<'s> {
    Task(&'s Task),
    Parallel(&'s Parallel),
}

/// A state that may be retried.
struct Visit<'s> {
    name: &'s Name,
    kind: Kind,
    work: Work<'s>,
    shaping: &'s Shaping,
    handling: &'s Handling,
    after: &'s After,
}

impl Run<'_> {
    pub(super) async fn task<'s>(&self, name: &'s Name, task: &'s Task, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let Task { shaping, handling, after, .. } = task;
        self.visit(Visit { name, kind: Kind::Task, work: Work::Task(task), shaping, handling, after }, input, previous).await
    }

    pub(super) async fn parallel<'s>(
        &self,
        name: &'s Name,
        parallel: &'s Parallel,
        input: &Value,
        previous: u64,
    ) -> Result<Left<'s>, Stopped> {
        let Parallel { shaping, handling, after, .. } = parallel;
        self.visit(Visit { name, kind: Kind::Parallel, work: Work::Parallel(parallel), shaping, handling, after }, input, previous).await
    }

    async fn visit<'s>(&self, visit: Visit<'s>, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let Visit { name, kind, handling, .. } = visit;
        let mut last = self.history.add(previous, What::Entered(kind, Arc::clone(name), Arc::from(input.to_string())));
        let mut retries = Retries::new(&handling.retry);
        loop {
            let context = self.context(name, retries.count());
            let failure = match self.one_try(&visit, &Scope { input, context: &context }, &mut last).await {
                Ok(output) => {
                    let last = self.history.add(last, What::Exited(kind, Arc::clone(name), Arc::from(output.to_string())));
                    return Ok(Left::by(visit.after, output, last));
                }
                Err(failure) => failure,
            };
            let chance = self.chance(name, retries.count());
            match retries.next(&failure.error, chance) {
                Some(wait) if !self.history.is_full() => tokio::time::sleep(wait).await,
                Some(_) | None => return self.caught(&visit, input, failure, last),
            }
        }
    }

    /// Any failure in a try is an error of the state, and is handled in the same way.
    async fn one_try(&self, visit: &Visit<'_>, scope: &Scope<'_>, last: &mut u64) -> Result<Value, Failure> {
        let Visit { name, shaping, .. } = visit;
        let number = self.history.tried(name);
        let input = shaping.effective_input(name, scope)?;
        let result = match visit.work {
            Work::Task(task) => self.attempt(name, task, &input, number, last).await?,
            Work::Parallel(parallel) => self.branches(name, parallel, &input, last).await?,
        };
        let output = shaping.output(name, scope, result)?;
        super::shape::text_of(&output, "output", name)?;
        Ok(output)
    }

    /// Leaves the state by the first catcher that matches this error; without one the flow stops.
    fn caught<'s>(&self, visit: &Visit<'s>, input: &Value, failure: Failure, last: u64) -> Result<Left<'s>, Stopped> {
        let Some(catcher) = visit.handling.catch.iter().find(|catcher| catcher.errors.matches(&failure.error)) else {
            return Err(Stopped { failure, last });
        };
        let told = json!({"Error": &*failure.error, "Cause": &*failure.cause});
        let output = placed(&catcher.result, visit.name, input, told).map_err(|failure| Stopped { failure, last })?;
        let last = self.exit(visit.kind, visit.name, &output, last)?;
        Ok(Left { output, last, next: Some(&catcher.next) })
    }
}

/// A running task. If it is cancelled, the history says so.
pub(super) struct Waiting<'a> {
    history: &'a History,
    /// The event that precedes the next one; `None` once the task has ended.
    started: Option<u64>,
}

impl<'a> Waiting<'a> {
    pub(super) const fn new(history: &'a History, started: u64) -> Self {
        Self { history, started: Some(started) }
    }

    /// Records the end; returns the event's id.
    pub(super) fn ended(&mut self, how: What) -> u64 {
        self.history.add(self.started.take().unwrap_or_default(), how)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(started) = self.started {
            self.history.add(started, What::TaskAborted);
        }
    }
}
