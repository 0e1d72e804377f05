//! A visit to a Task, a Parallel or a Map: tries, waits between them, and caught errors.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::shape::{placed, text_of};
use super::{Attempt, Left, Run, Stopped};
use crate::definition::{After, Given, Handling, Map, Name, Parallel, Shaping, Task};
use crate::error_equals::TIMEOUT;
use crate::failure::Failure;
use crate::history::{History, Kind, What};
use crate::path::Scope;
use crate::retry::Retries;

/// The work of a state in each try.
enum Work<'s> {
    Task(&'s Task),
    Parallel(&'s Parallel),
    Map(&'s Map),
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

    pub(super) async fn map<'s>(&self, name: &'s Name, map: &'s Map, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let Map { shaping, handling, after, .. } = map;
        self.visit(Visit { name, kind: Kind::Map, work: Work::Map(map), shaping, handling, after }, input, previous).await
    }

    async fn visit<'s>(&self, visit: Visit<'s>, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let Visit { name, kind, handling, .. } = visit;
        let mut last = self.history.add(previous, What::Entered(kind, Arc::clone(name), Arc::from(input.to_string())));
        let mut retries = Retries::new(&handling.retry);
        loop {
            let context = self.context(name, retries.count());
            let failure = match self.one_try(&visit, &self.scope(input, &context), &mut last).await {
                Ok(output) => {
                    let last = self.history.add(last, What::Exited(kind, Arc::clone(name), Arc::from(output.to_string())));
                    return Ok(Left::by(visit.after, output, last));
                }
                Err(failure) => failure,
            };
            let chance = self.chance.of_retry(name, retries.count());
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
            Work::Task(task) => self.attempt((*name, number), task, (&input, scope), last).await?,
            Work::Parallel(parallel) => self.branches(name, parallel, &input, last).await?,
            Work::Map(map) => self.items(name, map, (&input, scope), last).await?,
        };
        let output = shaping.output(name, scope, result)?;
        text_of(&output, "output", name)?;
        Ok(output)
    }

    /// One try of a task.
    async fn attempt(
        &self,
        (name, number): (&Name, u32),
        task: &Task,
        (input, scope): (&Value, &Scope<'_>),
        last: &mut u64,
    ) -> Result<Value, Failure> {
        let parameters = text_of(input, "input to the task", name)?;
        let (resource, timeout) = (&task.resource, limit(task, name, scope)?);
        let scheduled = self.history.add(*last, What::TaskScheduled(Arc::clone(resource), parameters, timeout));
        let started = self.history.add(scheduled, What::TaskStarted(Arc::clone(resource)));
        let mut waiting = Waiting::new(self.history, started, What::TaskAborted);
        let attempt = Attempt { state: name, resource, input, number };
        let result = match timeout {
            None => self.tasks.attempt(&attempt).await,
            Some(limit) => match tokio::time::timeout(limit, self.tasks.attempt(&attempt)).await {
                Ok(result) => result,
                Err(_) => {
                    let failure = Failure::new(TIMEOUT, "");
                    *last = waiting.ended(What::TaskTimedOut(Arc::clone(resource), failure.clone()));
                    return Err(failure);
                }
            },
        };
        let result = result.and_then(|output| Ok((text_of(&output, "task's result", name)?, output)));
        *last = waiting.ended(match &result {
            Ok((text, _)) => What::TaskSucceeded(Arc::clone(resource), Arc::clone(text)),
            Err(failure) => What::TaskFailed(Arc::clone(resource), failure.clone()),
        });
        result.map(|(_, output)| output)
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

/// The time of a task.
fn limit(task: &Task, state: &str, scope: &Scope<'_>) -> Result<Option<Duration>, Failure> {
    match &task.timeout {
        None => Ok(None),
        Some(Given::Here(limit)) => Ok(Some(*limit)),
        Some(Given::At(path)) => {
            let seconds = path.find(scope).and_then(|value| value.as_u64()).filter(|seconds| *seconds > 0);
            let why = "The TimeoutSecondsPath parameter does not reference a whole number of seconds above 0.";
            seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| Failure::runtime(state, why))
        }
    }
}

/// Work under way. If it is cancelled, the history says so.
pub(super) struct Waiting<'a> {
    history: &'a History,
    /// The event that precedes the next one, and what is told of a cancellation; `None` once the work
    /// has ended.
    started: Option<(u64, What)>,
}

impl<'a> Waiting<'a> {
    pub(super) const fn new(history: &'a History, started: u64, cancelled: What) -> Self {
        Self { history, started: Some((started, cancelled)) }
    }

    /// Records the end after an event; returns its id.
    pub(super) fn ended_after(&mut self, last: u64, how: What) -> u64 {
        self.started = None;
        self.history.add(last, how)
    }

    /// Records the end; returns the event's id.
    pub(super) fn ended(&mut self, how: What) -> u64 {
        let started = self.started.as_ref().map(|(started, _)| *started).unwrap_or_default();
        self.ended_after(started, how)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((started, cancelled)) = self.started.take() {
            self.history.add(started, cancelled);
        }
    }
}
