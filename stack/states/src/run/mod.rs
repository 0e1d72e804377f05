//! Runs a definition with any implementation of its tasks. It waits by tokio's clock, and work that
//! it drops stops at once: a branch whose sibling failed, or an execution that timed out.

mod shape;
mod visit;

use std::hash::Hasher;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt, try_join_all};
use serde_json::{Value, json};
use siphasher::sip::SipHasher24;

use crate::definition::{After, Definition, Fail, Flow, Name, Parallel, Pass, State, Succeed, Task};
use crate::error_equals::{RUNTIME, TIMEOUT};
use crate::failure::Failure;
use crate::history::{History, Kind, What};
use crate::path::Scope;
use shape::{selected, text_of};

/// Runs the tasks of a definition.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Carries a task out. Dropping the future cancels the task.
    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Value, Failure>;
}

/// One try of a task.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The state's name.
    pub state: &'a str,
    /// Its `Resource`.
    pub resource: &'a str,
    /// Its input.
    pub input: &'a Value,
    /// The number of this try of the state within its execution, from 1.
    pub number: u32,
}

/// The data of an execution.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// Its ARN.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: Value,
    /// The start time in RFC 3339.
    pub started: String,
    /// The machine's ARN.
    pub machine_id: String,
    /// The machine's name.
    pub machine_name: String,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It succeeded with this output.
    Succeeded(Value),
    /// An error that no catcher matched, or a Fail state.
    Failed(Failure),
    /// It exceeded the definition's `TimeoutSeconds`.
    TimedOut,
}

/// Runs an execution to its end. Events are written to `history` as they happen.
pub async fn run(definition: &Definition, execution: &Execution, tasks: &dyn Tasks, history: &History) -> Outcome {
    let context = json!({
        "Execution": {"Id": execution.id, "Input": execution.input, "Name": execution.name, "StartTime": execution.started},
        "StateMachine": {"Id": execution.machine_id, "Name": execution.machine_name},
    });
    let run = Run { id: &execution.id, context, tasks, history };
    history.add(0, What::Started(Arc::from(execution.input.to_string())));
    let flow = run.flow(&definition.flow, execution.input.clone(), 0);
    let ended = match definition.timeout {
        Some(limit) => tokio::time::timeout(limit, flow).await,
        None => Ok(flow.await),
    };
    match ended {
        Ok(Ok(Ended { output, last })) => {
            history.add(last, What::Succeeded(Arc::from(output.to_string())));
            Outcome::Succeeded(output)
        }
        Ok(Err(Stopped { failure, last })) => {
            history.add(last, What::Failed(failure.clone()));
            Outcome::Failed(failure)
        }
        Err(_) => {
            history.add(0, What::TimedOut);
            Outcome::TimedOut
        }
    }
}

/// A running execution.
struct Run<'a> {
    id: &'a str,
    context: Value,
    tasks: &'a dyn Tasks,
    history: &'a History,
}

/// A flow that succeeded.
struct Ended {
    output: Value,
    /// Its last event.
    last: u64,
}

/// A flow that failed.
struct Stopped {
    failure: Failure,
    /// Its last event.
    last: u64,
}

/// A finished state.
struct Left<'a> {
    output: Value,
    last: u64,
    next: Option<&'a Name>,
}

impl<'a> Left<'a> {
    fn by(after: &'a After, output: Value, last: u64) -> Self {
        Self { output, last, next: if let After::Next(next) = after { Some(next) } else { None } }
    }
}

impl Run<'_> {
    fn flow<'s>(&'s self, flow: &'s Flow, input: Value, previous: u64) -> BoxFuture<'s, Result<Ended, Stopped>> {
        async move {
            let (mut name, mut input, mut last) = (&flow.start_at, input, previous);
            loop {
                if self.history.is_full() {
                    let failure = Failure::new(RUNTIME, "The execution reached the maximum number of history events (25000).");
                    return Err(Stopped { failure, last });
                }
                let Some(state) = flow.states.get(name) else {
                    return Err(Stopped { failure: Failure::runtime(name, "there is no such state"), last });
                };
                let left = self.state(name, state, &input, last).await?;
                (input, last) = (left.output, left.last);
                match left.next {
                    Some(next) => name = next,
                    None => return Ok(Ended { output: input, last }),
                }
            }
        }
        .boxed()
    }

    async fn state<'s>(&self, name: &'s Name, state: &'s State, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        match state {
            State::Task(task) => self.task(name, task, input, previous).await,
            State::Parallel(parallel) => self.parallel(name, parallel, input, previous).await,
            State::Pass(pass) => self.pass(name, pass, input, previous),
            State::Succeed(succeed) => self.succeed(name, succeed, input, previous),
            State::Fail(fail) => Err(self.fail(name, fail, input, previous)),
        }
    }

    /// Enters a state that is not retried; returns the event and the context of it.
    fn enter(&self, kind: Kind, name: &Name, input: &Value, previous: u64) -> (u64, Value) {
        self.history.tried(name);
        let entered = self.history.add(previous, What::Entered(kind, Arc::clone(name), Arc::from(input.to_string())));
        (entered, self.context(name, 0))
    }

    fn exit(&self, kind: Kind, name: &Name, output: &Value, previous: u64) -> Result<u64, Stopped> {
        let text = text_of(output, "state's output", name).map_err(|failure| Stopped { failure, last: previous })?;
        Ok(self.history.add(previous, What::Exited(kind, Arc::clone(name), text)))
    }

    fn pass<'s>(&self, name: &Name, pass: &'s Pass, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let (last, context) = self.enter(Kind::Pass, name, input, previous);
        let scope = Scope { input, context: &context };
        let stopped = |failure| Stopped { failure, last };
        let effective = pass.shaping.effective_input(name, &scope).map_err(stopped)?;
        let result = pass.result.clone().unwrap_or(effective);
        let output = pass.shaping.output(name, &scope, result).map_err(stopped)?;
        let last = self.exit(Kind::Pass, name, &output, last)?;
        Ok(Left::by(&pass.after, output, last))
    }

    fn succeed<'s>(&self, name: &Name, succeed: &'s Succeed, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let (last, context) = self.enter(Kind::Succeed, name, input, previous);
        let stopped = |failure| Stopped { failure, last };
        let taken = selected(&succeed.input, name, &Scope { input, context: &context }).map_err(stopped)?;
        let output = selected(&succeed.output, name, &Scope { input: &taken, context: &context }).map_err(stopped)?;
        let last = self.exit(Kind::Succeed, name, &output, last)?;
        Ok(Left { output, last, next: None })
    }

    fn fail(&self, name: &Name, fail: &Fail, input: &Value, previous: u64) -> Stopped {
        let (last, context) = self.enter(Kind::Fail, name, input, previous);
        let scope = Scope { input, context: &context };
        let said = |source: &Option<crate::intrinsic::Source>| match source.as_ref().map(|source| source.take(&scope)) {
            None => Ok(String::new()),
            Some(Ok(Value::String(text))) => Ok(text),
            Some(Ok(other)) => Err(Failure::runtime(name, &format!("found `{other}` where an error and its cause are texts"))),
            Some(Err(why)) => Err(Failure::runtime(name, &why)),
        };
        let failure = said(&fail.error).and_then(|error| Ok(Failure::new(&error, said(&fail.cause)?)));
        Stopped { failure: failure.unwrap_or_else(|failure| failure), last }
    }

    /// The context object. Source: developer guide, "Accessing execution data from the Context object".
    fn context(&self, state: &str, retries: u32) -> Value {
        let mut context = self.context.clone();
        if let Some(context) = context.as_object_mut() {
            context.insert("State".to_owned(), json!({"Name": state, "RetryCount": retries}));
        }
        context
    }

    /// A number from 0 to 1 for a retry's jitter. It depends only on the execution and the try, so
    /// that a run can be repeated.
    fn chance(&self, state: &str, retry: u32) -> f64 {
        let mut hasher = SipHasher24::new();
        hasher.write(self.id.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(state.as_bytes());
        hasher.write_u32(retry);
        (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One try of a task.
    async fn attempt(&self, name: &Name, task: &Task, input: &Value, number: u32, last: &mut u64) -> Result<Value, Failure> {
        let parameters = text_of(input, "input to the task", name)?;
        let resource = &task.resource;
        let scheduled = self.history.add(*last, What::TaskScheduled(Arc::clone(resource), parameters, task.timeout));
        let mut waiting = visit::Waiting::new(self.history, self.history.add(scheduled, What::TaskStarted(Arc::clone(resource))));
        let attempt = Attempt { state: name, resource, input, number };
        let result = match task.timeout {
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

    /// Runs all branches concurrently; the first that fails cancels the others. The error is the
    /// branch's own.
    async fn branches(&self, name: &Name, parallel: &Parallel, input: &Value, last: &mut u64) -> Result<Value, Failure> {
        text_of(input, "input to the branches", name)?;
        let started = self.history.add(*last, What::ParallelStarted);
        let branches = parallel.branches.iter().map(|branch| self.flow(branch, input.clone(), started));
        let ended = try_join_all(branches).await;
        match ended {
            Ok(ended) => {
                let latest = ended.iter().map(|branch| branch.last).max().unwrap_or(started);
                *last = self.history.add(latest, What::ParallelSucceeded);
                Ok(Value::Array(ended.into_iter().map(|branch| branch.output).collect()))
            }
            Err(Stopped { failure, last: at }) => {
                *last = self.history.add(at, What::ParallelFailed);
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests;
