//! Step Functions: standard state machines, their executions and their results. An execution runs
//! on whether or not a caller waits for it, and ends with the service. Source: Step Functions API
//! reference.

mod book;
mod events;
mod requests;
mod tasks;
mod trace;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::{Value, json};
use states::{Definition, Execution, LARGEST_PAYLOAD, Outcome, run};
use tokio::task::JoinSet;

use self::book::{Book, Opened};
use self::requests::{Asked, Refusal, description, is_name, named, summary, token};
use self::tasks::{Doing, Reach};
use super::deliver::{Delivery, Receives, Undelivered};
use super::described::{Described, Protocol};
use super::sns::Sns;
use super::sqs::Sqs;
use super::wire::{Answer, Call, JSON_1_0, Service};
use crate::invoke::LateInvoke;
use crate::platform::names::uuid;
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::{self, Target};

pub use self::book::{How, Shown};
pub use self::requests::{execution_arn, machine_arn};
pub use self::trace::{root_of_execution, root_of_try};

/// The description of this service.
pub const DESCRIBED: Described =
    Described { name: "states", title: "Step Functions", protocol: Protocol::Json10("AWSStepFunctions"), operations: &["StartExecution"] };

/// All machines.
pub struct StepFunctions {
    machines: BTreeMap<String, Arc<Machine>>,
    reach: Arc<Reach>,
    sightings: Sightings,
    /// The running executions; they end with the service.
    running: Mutex<JoinSet<()>>,
}

struct Machine {
    name: String,
    definition: Definition,
    book: Book,
}

impl StepFunctions {
    /// The declared machines, without executions.
    pub fn new(machines: &[blueprint::Machine], invoke: LateInvoke, sqs: Arc<Sqs>, sns: Arc<Sns>, sightings: Sightings) -> Arc<Self> {
        let machine = |declared: &blueprint::Machine| {
            let (name, definition) = (declared.name.clone(), declared.definition.clone());
            (name.clone(), Arc::new(Machine { name, definition, book: Book::default() }))
        };
        let machines = machines.iter().map(machine).collect();
        Arc::new(Self { machines, reach: Arc::new(Reach { invoke, sqs, sns }), sightings, running: Mutex::default() })
    }

    /// The machines' names.
    pub fn names(&self) -> Vec<String> {
        self.machines.keys().cloned().collect()
    }

    /// The executions of a machine, newest last.
    pub fn executions(&self, machine: &str) -> Vec<Shown> {
        let Some(machine) = self.machines.get(machine) else { return Vec::new() };
        machine.book.newest(usize::MAX, |_| true, usize::MAX).into_iter().rev().map(|(_, shown)| shown).collect()
    }

    fn machine(&self, asked: &Asked) -> Result<&Arc<Machine>, Refusal> {
        let arn = asked.needed("stateMachineArn")?;
        let machine = named(arn, "stateMachine")?.and_then(|name| self.machines.get(name));
        machine.ok_or_else(|| Refusal::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'")))
    }

    /// The machine and the name in an execution's ARN.
    fn execution<'a>(&self, asked: &'a Asked) -> Result<(&Arc<Machine>, &'a str, Shown), Refusal> {
        let arn = asked.needed("executionArn")?;
        let found = named(arn, "execution")?.and_then(|rest| rest.split_once(':')).and_then(|(machine, name)| {
            let machine = self.machines.get(machine)?;
            Some((machine, name, machine.book.find(name)?))
        });
        found.ok_or_else(|| Refusal::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'")))
    }

    fn start(&self, asked: &Asked, root: Option<&str>) -> Result<Value, Refusal> {
        let machine = self.machine(asked)?;
        let made;
        let name = match asked.text("name")? {
            Some(name) if is_name(name) => name,
            Some(name) => return Err(Refusal::new("InvalidName", format!("Invalid Name: '{name}'"))),
            None => {
                made = uuid();
                &made
            }
        };
        let text = asked.text("input")?.unwrap_or("{}");
        if text.len() > LARGEST_PAYLOAD {
            let what =
                format!("Value at 'input' failed to satisfy constraint: Member must have length less than or equal to {LARGEST_PAYLOAD}");
            return Err(Refusal::new("ValidationException", format!("1 validation error detected: {what}")));
        }
        let input: Value = serde_json::from_str(text)
            .map_err(|error| Refusal::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{error}'")))?;
        let trace = asked.text("traceHeader")?;
        let started = match machine.book.open(name, text, trace) {
            Opened::Taken => {
                let arn = execution_arn(&machine.name, name);
                return Err(Refusal::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")));
            }
            Opened::Same(started) => started,
            Opened::New(at, history, started) => {
                let root =
                    trace.and_then(faults::trace_root).or(root).map_or_else(|| root_of_execution(&machine.name, name), str::to_owned);
                let execution = Execution {
                    id: execution_arn(&machine.name, name),
                    name: name.to_owned(),
                    input,
                    started: dates::milliseconds(started),
                    machine_id: machine_arn(&machine.name),
                    machine_name: machine.name.clone(),
                };
                self.spawn(Under { machine: Arc::clone(machine), at, history, started, root, execution });
                started
            }
        };
        Ok(json!({"executionArn": execution_arn(&machine.name, name), "startDate": events::epoch_seconds(started)}))
    }

    fn spawn(&self, under: Under) {
        let (reach, sightings) = (Arc::clone(&self.reach), self.sightings.clone());
        sightings.tell(Seen::ExecutionStarted { machine: under.machine.name.clone(), name: under.execution.name.clone() });
        sightings.effect(
            || Place::Machine(under.machine.name.clone()),
            |place, _| {
                let (root, text) = (Some(under.root.clone()), under.execution.input.to_string());
                Effect { root, text, ..Effect::new(place, &under.execution.name, Change::Made) }
            },
        );
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(async move { under.go(&reach, &sightings).await });
    }

    fn list(&self, asked: &Asked) -> Result<Value, Refusal> {
        let machine = self.machine(asked)?;
        let (most, status) = (asked.most()?, asked.status()?);
        let about = format!("{}/{}", machine.name, status.unwrap_or_default());
        let before = asked.from(&about)?.unwrap_or(usize::MAX);
        let wanted = |shown: &Shown| status.is_none_or(|status| shown.status() == status);
        let mut page = machine.book.newest(before, wanted, most + 1);
        let more = page.len() > most;
        page.truncate(most);
        let mut answer = json!({"executions": page.iter().map(|(_, shown)| summary(&machine.name, shown)).collect::<Vec<_>>()});
        if let (true, Some((last, _)), Some(answer)) = (more, page.last(), answer.as_object_mut()) {
            answer.insert("nextToken".to_owned(), json!(token(&about, *last)));
        }
        Ok(answer)
    }

    fn history(&self, asked: &Asked) -> Result<Value, Refusal> {
        let (machine, name, _) = self.execution(asked)?;
        let (most, reverse, with_data) = (asked.most()?, asked.flag("reverseOrder", false), asked.flag("includeExecutionData", true));
        let about = format!("{}/{name}/{reverse}", machine.name);
        let from = asked.from(&about)?.unwrap_or(0);
        let mut events = machine.book.history(name).unwrap_or_default();
        if reverse {
            events.reverse();
        }
        let count = events.len();
        let page = events.into_iter().skip(from).take(most).map(|event| if with_data { event } else { events::without_data(event) });
        let mut answer = json!({"events": page.collect::<Vec<_>>()});
        if let (true, Some(answer)) = (from.saturating_add(most) < count, answer.as_object_mut()) {
            answer.insert("nextToken".to_owned(), json!(token(&about, from + most)));
        }
        Ok(answer)
    }
}

/// An execution under way.
struct Under {
    machine: Arc<Machine>,
    at: usize,
    history: Arc<states::History>,
    started: std::time::SystemTime,
    root: String,
    execution: Execution,
}

impl Under {
    async fn go(self, reach: &Reach, sightings: &Sightings) {
        let Self { machine, at, history, started, root, execution } = self;
        let outcome = run(&machine.definition, &execution, &Doing { reach, root: &root }, &history).await;
        machine.book.close(at, &outcome, &history, started);
        let (status, error) = match &outcome {
            Outcome::Succeeded(_) => ("SUCCEEDED", None),
            Outcome::Failed(failure) => ("FAILED", Some(failure.error.to_string())),
            Outcome::TimedOut => ("TIMED_OUT", Some(states::TIMEOUT.to_owned())),
        };
        sightings.effect(
            || Place::Machine(machine.name.clone()),
            |place, _| {
                let fields = [("status".to_owned(), json!(status)), ("error".to_owned(), json!(error))];
                Effect { root: Some(root), fields: fields.into_iter().collect(), ..Effect::new(place, &execution.name, Change::Changed) }
            },
        );
        sightings.tell(Seen::ExecutionEnded {
            machine: machine.name.clone(),
            name: execution.name,
            status: status.to_owned(),
            error,
            tries: history.tries().into_iter().map(|(state, tries)| (state.to_string(), tries)).collect(),
        });
    }
}

impl Receives for StepFunctions {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let asked = json!({"stateMachineArn": machine_arn(to.name()), "input": delivery.body});
        let root = delivery.trace.as_deref().and_then(faults::trace_root);
        let started = Asked::read(asked.to_string().as_bytes()).and_then(|asked| self.start(&asked, root));
        started.map(drop).map_err(|refusal| match refusal.kind {
            "StateMachineDoesNotExist" => Undelivered::Missing(to.clone()),
            _ => Undelivered::Refused(refusal.message),
        })
    }
}

#[async_trait]
impl Service for StepFunctions {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        let answered = Asked::read(&call.body).and_then(|asked| match call.operation.as_str() {
            "StartExecution" => self.start(&asked, call.root.as_deref()),
            "DescribeExecution" => self.execution(&asked).map(|(machine, _, shown)| description(&machine.name, &shown)),
            "ListExecutions" => self.list(&asked),
            "GetExecutionHistory" => self.history(&asked),
            other => Err(Refusal::new("UnknownOperationException", format!("this machine's Step Functions has no `{other}`"))),
        });
        match answered {
            Ok(answer) => Answer::ok(JSON_1_0, &answer),
            Err(Refusal { kind, message }) => Answer::error(JSON_1_0, 400, kind, &message),
        }
    }
}
