//! Runs a definition with any implementation of its tasks. It waits by tokio's clock, and work that
//! it drops stops at once: a branch whose sibling failed, or an execution that timed out.

mod parts;
mod shape;
mod visit;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::definition::{After, Choice, Definition, Fail, Flow, Given, Name, Pass, State, Succeed, Until, Wait};
use crate::error_equals::{NO_CHOICE_MATCHED, RUNTIME};
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
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// How many times faster than at AWS a Wait passes; 0 counts as 1.
    pub pace: u32,
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
    /// It was stopped from outside, with an error and a cause that may be empty.
    Stopped(Failure),
}

/// Runs an execution to its end. Events are written to `history` as they happen.
pub async fn run(definition: &Definition, execution: &Execution, tasks: &dyn Tasks, history: &History) -> Outcome {
    let context = json!({
        "Execution": {
            "Id": execution.id, "Input": execution.input, "Name": execution.name, "StartTime": execution.started, "RedriveCount": 0,
        },
        "StateMachine": {"Id": execution.machine_id, "Name": execution.machine_name},
    });
    let run = Run { context, tasks, history, chance: &Chance::of(&execution.id), pace: execution.pace.max(1) };
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
    context: Value,
    tasks: &'a dyn Tasks,
    history: &'a History,
    chance: &'a Chance,
    pace: u32,
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
            State::Map(map) => self.map(name, map, input, previous).await,
            State::Choice(choice) => self.choose(name, choice, input, previous),
            State::Wait(wait) => self.wait(name, wait, input, previous).await,
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
        let scope = self.scope(input, &context);
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
        let taken = selected(&succeed.input, name, &self.scope(input, &context)).map_err(stopped)?;
        let output = selected(&succeed.output, name, &self.scope(&taken, &context)).map_err(stopped)?;
        let last = self.exit(Kind::Succeed, name, &output, last)?;
        Ok(Left { output, last, next: None })
    }

    fn choose<'s>(&self, name: &Name, choice: &'s Choice, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let (last, context) = self.enter(Kind::Choice, name, input, previous);
        let stopped = |failure: Failure| Stopped { failure, last };
        let taken = selected(&choice.input, name, &self.scope(input, &context)).map_err(stopped)?;
        let scope = self.scope(&taken, &context);
        let mut next = None;
        for (test, to) in &choice.rules {
            if test.holds(&scope).map_err(|failure| stopped(failure.of_state(name)))? {
                next = Some(to);
                break;
            }
        }
        let no_choice = || stopped(Failure::new(NO_CHOICE_MATCHED, "No choice matched, and the state has no Default.").of_state(name));
        let next = next.or(choice.default.as_ref()).ok_or_else(no_choice)?;
        let output = selected(&choice.output, name, &scope).map_err(stopped)?;
        let last = self.exit(Kind::Choice, name, &output, last)?;
        Ok(Left { output, last, next: Some(next) })
    }

    async fn wait<'s>(&self, name: &Name, wait: &'s Wait, input: &Value, previous: u64) -> Result<Left<'s>, Stopped> {
        let (last, context) = self.enter(Kind::Wait, name, input, previous);
        let stopped = |failure| Stopped { failure, last };
        let taken = selected(&wait.input, name, &self.scope(input, &context)).map_err(stopped)?;
        let scope = self.scope(&taken, &context);
        tokio::time::sleep(left(&wait.until, name, &scope).map_err(stopped)? / self.pace).await;
        let output = selected(&wait.output, name, &scope).map_err(stopped)?;
        let last = self.exit(Kind::Wait, name, &output, last)?;
        Ok(Left::by(&wait.after, output, last))
    }

    fn fail(&self, name: &Name, fail: &Fail, input: &Value, previous: u64) -> Stopped {
        let (last, context) = self.enter(Kind::Fail, name, input, previous);
        let scope = self.scope(input, &context);
        let said = |source: &Option<crate::intrinsic::Source>| match source.as_ref().map(|source| source.take(&scope)) {
            None => Ok(String::new()),
            Some(Ok(Value::String(text))) => Ok(text),
            Some(Ok(other)) => Err(Failure::runtime(name, &format!("found `{other}` where an error and its cause are texts"))),
            Some(Err(failure)) => Err(failure.of_state(name)),
        };
        let failure = said(&fail.error).and_then(|error| Ok(Failure::new(&error, said(&fail.cause)?)));
        Stopped { failure: failure.unwrap_or_else(|failure| failure), last }
    }

    /// The data of a state.
    const fn scope<'v>(&'v self, input: &'v Value, context: &'v Value) -> Scope<'v> {
        Scope { input, context, chance: self.chance }
    }

    /// The context object. Source: developer guide, "Accessing execution data from the Context object".
    fn context(&self, state: &str, retries: u32) -> Value {
        let entered = dates::milliseconds(SystemTime::now());
        with(&self.context, "State", json!({"EnteredTime": entered, "Name": state, "RetryCount": retries}))
    }
}

/// The context with one more object.
fn with(context: &Value, name: &str, object: Value) -> Value {
    let mut context = context.clone();
    if let Some(context) = context.as_object_mut() {
        context.insert(name.to_owned(), object);
    }
    context
}

/// The most seconds that a Wait takes from its input. Source: developer guide, "Wait workflow state".
const LONGEST_WAIT: u64 = 99_999_999;

/// How long a Wait is to wait at AWS.
fn left(until: &Until, state: &str, scope: &Scope<'_>) -> Result<Duration, Failure> {
    let moment = |moment: SystemTime| moment.duration_since(SystemTime::now()).unwrap_or_default();
    let wrong = |what: &str, expected: &str| Failure::runtime(state, &format!("The {what} parameter does not reference {expected}."));
    match until {
        Until::Over(Given::Here(time)) => Ok(*time),
        Until::Moment(Given::Here(at)) => Ok(moment(*at)),
        Until::Over(Given::At(path)) => {
            let seconds = path.find(scope).and_then(|value| value.as_u64()).filter(|seconds| *seconds <= LONGEST_WAIT);
            seconds.map(Duration::from_secs).ok_or_else(|| wrong("SecondsPath", "a whole number of seconds from 0 to 99999999"))
        }
        Until::Moment(Given::At(path)) => {
            let at = path.find(scope).and_then(|value| dates::read(value.as_str()?));
            at.map(moment).ok_or_else(|| wrong("TimestampPath", "a valid ISO-8601 extended offset date-time format string"))
        }
    }
}

#[cfg(test)]
mod tests;
