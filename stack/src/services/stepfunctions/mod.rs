//! Step Functions: standard and express state machines, their executions and their results. An
//! execution runs on whether or not a caller waits for it, and ends with the service. Source: Step
//! Functions API reference.

mod book;
mod events;
mod requests;
mod shown;
mod tasks;
mod trace;
mod under;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Value, json};
use states::{Definition, Execution, Failure, History, LARGEST_PAYLOAD};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use self::book::{Book, Opened};
use self::requests::{Asked, Refusal, answered, description, is_name, named, summary, token};
use self::tasks::Reach;
use self::under::{Stop, Under};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::sns::Sns;
use super::sqs::Sqs;
use super::wire::{Answer, Call, JSON_1_0, Service};
use crate::deliver::{Delivery, Receives, Undelivered};
use crate::invoke::LateInvoke;
use crate::platform::names::uuid;
use run_folder::compressed::Compressed;
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::{self, MachineKind, Target};

pub use self::book::{How, Shown};
pub use self::requests::{execution_arn, express_arn, machine_arn};
pub use self::trace::{root_of_execution, root_of_try};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "states",
    title: "Step Functions",
    protocol: Protocol::Json10("AWSStepFunctions"),
    operations: &["StartExecution", "StartSyncExecution"],
};

/// All machines.
pub struct StepFunctions {
    machines: BTreeMap<String, Arc<Machine>>,
    reach: Arc<Reach>,
    sightings: Sightings,
    compressed: Compressed,
    /// The running executions; they end with the service.
    running: Mutex<JoinSet<()>>,
    /// How each is stopped, by its ARN.
    stops: Arc<Mutex<HashMap<String, oneshot::Sender<Stop>>>>,
}

struct Machine {
    name: String,
    kind: MachineKind,
    /// Or why it cannot be started here.
    definition: Result<Arc<Definition>, String>,
    book: Book,
}

impl Machine {
    /// What the page tells of it besides its name.
    fn note(&self) -> String {
        match (&self.definition, self.kind) {
            (Err(why), _) => format!("cannot be started here: {why}"),
            (Ok(_), MachineKind::Express) => "express".to_owned(),
            (Ok(_), MachineKind::Standard) => String::new(),
        }
    }

    /// The ARN of an execution by its name in the book.
    fn execution_arn(&self, name: &str) -> String {
        match self.kind {
            MachineKind::Standard => execution_arn(&self.name, name),
            MachineKind::Express => express_arn(&self.name, name),
        }
    }

    fn only(&self, kind: MachineKind) -> Result<(), Refusal> {
        let other = || Refusal::new("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine");
        if self.kind == kind { Ok(()) } else { Err(other()) }
    }
}

impl StepFunctions {
    /// The declared machines, without executions.
    pub fn new(
        machines: &[blueprint::Machine],
        invoke: LateInvoke,
        (sqs, sns): (Arc<Sqs>, Arc<Sns>),
        compressed: Compressed,
        sightings: Sightings,
    ) -> Arc<Self> {
        let machine = |declared: &blueprint::Machine| {
            let (name, kind, definition) = (declared.name.clone(), declared.kind, declared.definition.clone().map(Arc::new));
            (name.clone(), Arc::new(Machine { name, kind, definition, book: Book::default() }))
        };
        let machines = machines.iter().map(machine).collect();
        Arc::new(Self {
            machines,
            reach: Arc::new(Reach { invoke, sqs, sns }),
            sightings,
            compressed,
            running: Mutex::default(),
            stops: Arc::default(),
        })
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

    /// Begins an execution, unless a standard one with the same name and input runs already.
    fn begin(&self, machine: &Arc<Machine>, asked: &Asked, root: Option<&str>) -> Result<Begun, Refusal> {
        let definition = machine.definition.as_ref().map_err(|why| {
            Refusal::new("InvalidDefinition", format!("the state machine `{}` cannot be started on this machine: {why}", machine.name))
        })?;
        let name = match asked.text("name")? {
            Some(name) if is_name(name) => name.to_owned(),
            Some(name) => return Err(Refusal::new("InvalidName", format!("Invalid Name: '{name}'"))),
            None => uuid(),
        };
        let (text, input) = input(asked)?;
        let trace = asked.text("traceHeader")?;
        // The name of an express execution need not be its own.
        let known_as = if machine.kind == MachineKind::Express { format!("{name}:{}", uuid()) } else { name.clone() };
        let history = Arc::new(if machine.kind == MachineKind::Express { History::unlimited() } else { History::begin() });
        let (at, started) = match machine.book.open(&known_as, text, trace, &history) {
            Opened::Taken => {
                let arn = execution_arn(&machine.name, &name);
                return Err(Refusal::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'")));
            }
            Opened::Same(started) => return Ok(Begun::Before(execution_arn(&machine.name, &name), started)),
            Opened::New(at, started) => (at, started),
        };
        let root = trace.and_then(faults::trace_root).or(root).map_or_else(|| root_of_execution(&machine.name, &known_as), str::to_owned);
        let execution = Execution {
            id: machine.execution_arn(&known_as),
            name,
            input,
            started: dates::milliseconds(started),
            machine_id: machine_arn(&machine.name),
            machine_name: machine.name.clone(),
            pace: self.compressed.queues,
        };
        Ok(Begun::Now(Box::new(Under {
            machine: Arc::clone(machine),
            definition: Arc::clone(definition),
            at,
            known_as,
            history,
            started,
            root,
            execution,
        })))
    }

    fn start(&self, asked: &Asked, root: Option<&str>) -> Result<Value, Refusal> {
        let (arn, started) = match self.begin(self.machine(asked)?, asked, root)? {
            Begun::Before(arn, started) => (arn, started),
            Begun::Now(under) => {
                let (arn, started) = (under.execution.id.clone(), under.started);
                drop(self.spawn(*under));
                (arn, started)
            }
        };
        Ok(json!({"executionArn": arn, "startDate": events::epoch_seconds(started)}))
    }

    /// `StartSyncExecution`: the result of an express execution.
    async fn start_and_wait(&self, asked: &Asked, root: Option<&str>) -> Result<Value, Refusal> {
        let machine = self.machine(asked)?;
        machine.only(MachineKind::Express)?;
        let Begun::Now(under) = self.begin(machine, asked, root)? else { return Err(Refusal::new("InternalError", "it runs already")) };
        let (known_as, execution) = (under.known_as.clone(), under.execution.clone());
        // It ends with the service, which then answers nothing any more.
        let _ = self.spawn(*under).await;
        let shown = machine.book.find(&known_as).ok_or_else(|| Refusal::new("InternalError", "the execution is gone"))?;
        Ok(answered(&machine.name, &shown, &execution))
    }

    /// Runs an execution; the receiver gets a word when it has ended.
    fn spawn(&self, under: Under) -> oneshot::Receiver<()> {
        let (reach, sightings) = (Arc::clone(&self.reach), self.sightings.clone());
        sightings.tell(Seen::ExecutionStarted { machine: under.machine.name.clone(), name: under.known_as.clone() });
        let (sender, ended) = oneshot::channel();
        sightings.effect(
            || Place::Machine(under.machine.name.clone()),
            |place, _| {
                let (root, text) = (Some(under.root.clone()), under.execution.input.to_string());
                Effect { root, text, ..Effect::new(place, &under.execution.name, Change::Made) }
            },
        );
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        let ((stop, stopped), stops, arn) = (oneshot::channel(), Arc::clone(&self.stops), under.execution.id.clone());
        stops.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.clone(), stop);
        running.spawn(async move {
            under.go(&reach, &sightings, stopped).await;
            stops.lock().unwrap_or_else(PoisonError::into_inner).remove(&arn);
            // The caller may be gone.
            let _ = sender.send(());
        });
        ended
    }

    /// `StopExecution`; one that has ended stays as it is.
    async fn stop(&self, asked: &Asked) -> Result<Value, Refusal> {
        let why = Failure::new(asked.text("error")?.unwrap_or_default(), asked.text("cause")?.unwrap_or_default());
        let (machine, name, _) = self.execution(asked)?;
        machine.only(MachineKind::Standard)?;
        let stop = self.stops.lock().unwrap_or_else(PoisonError::into_inner).remove(asked.needed("executionArn")?);
        if let Some(stop) = stop {
            let (done, ended) = oneshot::channel();
            // It may have ended meanwhile.
            if stop.send(Stop { why, done }).is_ok() {
                let _ = ended.await;
            }
        }
        let ended = machine.book.find(name).and_then(|shown| shown.ended).map_or_else(SystemTime::now, |(at, _)| at);
        Ok(json!({"stopDate": events::epoch_seconds(ended)}))
    }

    fn list(&self, asked: &Asked) -> Result<Value, Refusal> {
        let machine = self.machine(asked)?;
        machine.only(MachineKind::Standard)?;
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

/// The input of an execution: its text and its value.
fn input(asked: &Asked) -> Result<(&str, Value), Refusal> {
    let text = asked.text("input")?.unwrap_or("{}");
    if text.len() > LARGEST_PAYLOAD {
        let what =
            format!("Value at 'input' failed to satisfy constraint: Member must have length less than or equal to {LARGEST_PAYLOAD}");
        return Err(Refusal::new("ValidationException", format!("1 validation error detected: {what}")));
    }
    let invalid = |error| Refusal::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{error}'"));
    serde_json::from_str(text).map(|input| (text, input)).map_err(invalid)
}

/// What beginning an execution comes to.
enum Begun {
    /// It begins now.
    Now(Box<Under>),
    /// It runs already: its ARN, and since when.
    Before(String, SystemTime),
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

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        let answered = match (Asked::read(&call.body), call.operation.as_str()) {
            (Err(refusal), _) => Err(refusal),
            (Ok(asked), "StartExecution") => self.start(&asked, call.root.as_deref()),
            (Ok(asked), "StartSyncExecution") => self.start_and_wait(&asked, call.root.as_deref()).await,
            (Ok(asked), "StopExecution") => self.stop(&asked).await,
            (Ok(asked), "DescribeExecution") => self.execution(&asked).map(|(machine, _, shown)| description(&machine.name, &shown)),
            (Ok(asked), "ListExecutions") => self.list(&asked),
            (Ok(asked), "GetExecutionHistory") => self.history(&asked),
            (Ok(_), other) => Err(Refusal::new("UnknownOperationException", format!("this machine's Step Functions has no `{other}`"))),
        };
        match answered {
            Ok(answer) => Answer::ok(JSON_1_0, &answer),
            Err(Refusal { kind, message }) => Answer::error(JSON_1_0, 400, kind, &message),
        }
    }
}
