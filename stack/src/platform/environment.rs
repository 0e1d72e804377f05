//! One execution environment: its phase, its event, and the processes that wait in it. It starts
//! and ends no process; `life.rs` does.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use faults::Entry;
use tokio::sync::{Notify, oneshot};

use super::deployed::Deployed;
use super::extensions::Extensions;
use super::invocation::{Failure, Invocation, Invoked};
use super::invoke_stream::Sink;
use super::lines::{Lines, Outcome};
use super::names;
use super::process::Group;

/// What an environment is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its processes start.
    Starting,
    /// It waits for an event.
    Idle,
    /// It has an event, or still works after its answer.
    Busy,
    /// It is being shut down.
    Ending,
}

/// What the runtime gets for an event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub request_id: String,
    pub body: Bytes,
    pub trace: String,
    pub client_context: Option<String>,
    /// The function's ARN, with the alias or version that the caller named.
    pub arn: String,
    /// Milliseconds since 1970.
    pub deadline_ms: u128,
}

#[derive(Debug)]
struct Current {
    request_id: String,
    sink: Option<Sink>,
    answer: oneshot::Sender<Invoked>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    frozen: bool,
    pending: Option<Event>,
    current: Option<Current>,
    /// The answer to its last event was an error.
    failed: bool,
    deadline: Option<Instant>,
    /// A task sleeps until the deadline and need not be told of a later one.
    armed: bool,
    pollers: u32,
    extensions: Extensions,
    init_error: Option<Bytes>,
}

/// One execution environment.
#[derive(Debug)]
pub(crate) struct Environment {
    pub deployed: Arc<Deployed>,
    pub group: Group,
    /// Its part of the function's log.
    pub lines: Arc<Lines>,
    /// The process id of the runtime.
    pub runtime: OnceLock<u32>,
    /// When its start began.
    pub began: Instant,
    /// How long its start may take.
    pub limit: Duration,
    state: Mutex<State>,
    event: Notify,
    attention: Notify,
    /// The start has progressed: a registration, the first poll, or an error.
    pub progress: Notify,
    /// It should be shut down.
    pub end: Notify,
}

/// The runtime's long poll; the runtime counts as waiting while this lives.
#[derive(Debug)]
pub(crate) struct Poll<'a>(&'a Environment);

impl Environment {
    /// An environment whose processes do not run yet.
    pub(crate) fn new(deployed: Arc<Deployed>, limit: Duration) -> Self {
        let state = State {
            phase: Phase::Starting,
            frozen: false,
            pending: None,
            current: None,
            failed: false,
            deadline: None,
            armed: false,
            pollers: 0,
            extensions: Extensions::default(),
            init_error: None,
        };
        let function = &deployed.function;
        let lines = Lines::new(deployed.log.clone(), function.log_format, function.memory_mb);
        Self {
            deployed,
            lines: Arc::new(lines),
            runtime: OnceLock::new(),
            began: Instant::now(),
            limit,
            group: Group::default(),
            state: Mutex::new(state),
            event: Notify::new(),
            attention: Notify::new(),
            progress: Notify::new(),
            end: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; even then the state would be consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works on the extensions of this environment.
    pub(crate) fn extensions<T>(&self, work: impl FnOnce(&mut Extensions) -> T) -> T {
        work(&mut self.state().extensions)
    }

    /// What it is doing.
    pub(crate) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Gives it an event; returns the event if the environment cannot take it because it is being
    /// shut down.
    pub(crate) fn hand(&self, invocation: Invocation) -> Option<Invocation> {
        let mut state = self.state();
        if state.phase != Phase::Idle {
            return Some(invocation);
        }
        if std::mem::take(&mut state.frozen) {
            self.group.thaw();
        }
        let timeout = self.deployed.function.timeout;
        let Invocation { request_id, event, trace, client_context, arrived, at_limit, sink, tail, qualifier, answer, .. } = invocation;
        if at_limit {
            self.deployed.machine.counts.waited(arrived.elapsed());
        }
        let follow = self.deployed.machine.follow.get();
        let trace = match follow {
            Some(follow) => follow.delivered(&self.deployed.function.name, &request_id, trace),
            None => trace,
        };
        // The ledger is closed only when the platform ends.
        let _ = self.deployed.machine.ledger.send(Entry::Invoked {
            function: self.deployed.function.name.clone(),
            request_id: request_id.clone(),
            root: faults::trace_root(&trace).map(str::to_owned),
            message: message(&event),
        });
        self.lines.begin(&request_id, self.deployed.executed(qualifier.as_deref()), tail, Instant::now());
        let arn = self.deployed.invoked(qualifier.as_deref());
        let deadline_ms = (names::now() + timeout).as_millis();
        let event = Event { request_id: request_id.clone(), body: event, trace, client_context, arn, deadline_ms };
        state.extensions.invoke(&event);
        state.phase = Phase::Busy;
        state.deadline = Some(Instant::now() + timeout);
        state.pending = Some(event);
        state.current = Some(Current { request_id, sink, answer });
        self.event.notify_one();
        if !std::mem::replace(&mut state.armed, true) {
            self.attention.notify_one();
        }
        None
    }

    /// Stops its processes until the next event, unless it has one already.
    pub(crate) fn freeze(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle && !state.frozen {
            state.frozen = true;
            self.group.freeze();
        }
    }

    /// The runtime asks for an event; `None` if it has one that it has not answered.
    pub(crate) fn poll(&self) -> Option<Poll<'_>> {
        let mut state = self.state();
        if state.current.is_some() && state.pending.is_none() {
            return None;
        }
        state.pollers += 1;
        Some(Poll(self))
    }

    /// True once each time that the runtime and all extensions have come to wait: after the start,
    /// and after each event.
    pub(crate) fn settle(&self) -> Option<Phase> {
        let mut state = self.state();
        let before = state.phase;
        let waits = state.pollers > 0 && state.extensions.all_wait() && state.current.is_none();
        if !waits || !matches!(before, Phase::Starting | Phase::Busy) {
            return None;
        }
        state.phase = Phase::Idle;
        state.deadline = None;
        let failed = state.failed;
        drop(state);
        match before {
            Phase::Starting => self.lines.started(self.began.elapsed()),
            _ => self.lines.finish(Outcome::Answered { failed }, self.runtime.get().copied()),
        }
        self.progress.notify_one();
        Some(before)
    }

    /// True if `request_id` is the event that it works on.
    pub(crate) fn works_on(&self, request_id: &str) -> bool {
        let state = self.state();
        state.pending.is_none() && state.current.as_ref().is_some_and(|current| current.request_id == request_id)
    }

    /// Where the pieces of a streamed answer to its event go, if the caller wants pieces.
    pub(crate) fn sink(&self, request_id: &str) -> Option<Sink> {
        self.state().current.as_ref().filter(|current| current.request_id == request_id)?.sink.clone()
    }

    /// Answers its event; false if the event is not its own, or has been answered.
    pub(crate) fn answer(&self, request_id: &str, answer: Result<Bytes, Bytes>) -> bool {
        let failed = answer.is_err();
        let current = {
            let mut state = self.state();
            let Some(current) = state.current.take_if(|current| current.request_id == request_id) else { return false };
            state.failed = failed;
            current
        };
        let (Ok(payload) | Err(payload)) = answer;
        if let Some(follow) = self.deployed.machine.follow.get() {
            follow.returned(&self.deployed.function.name, request_id, failed);
        }
        // The caller may be gone; then the answer is dropped.
        let _ = current.answer.send(Invoked { request_id: current.request_id, payload, failed });
        true
    }

    /// Fails its event, if it has one.
    pub(crate) fn fail(&self, failure: &Failure) {
        let id = self.state().current.as_ref().map(|current| current.request_id.clone());
        if let Some(id) = id {
            self.answer(&id, Err(failure.payload(&id)));
        }
    }

    /// The runtime or extension reports why it could not start.
    pub(crate) fn init_failed(&self, why: Bytes) {
        self.state().init_error = Some(why);
        self.progress.notify_one();
    }

    /// The reported reason for a failed start.
    pub(crate) fn init_error(&self) -> Option<Bytes> {
        self.state().init_error.take()
    }

    /// Takes no more events; returns what it was doing. Its processes run again, so that they can
    /// end.
    pub(crate) fn ending(&self) -> Phase {
        let mut state = self.state();
        if std::mem::take(&mut state.frozen) {
            self.group.thaw();
        }
        std::mem::replace(&mut state.phase, Phase::Ending)
    }

    /// Returns when an event has exceeded the function's timeout.
    pub(crate) async fn overdue(&self) {
        loop {
            let deadline = {
                let mut state = self.state();
                state.armed = state.deadline.is_some();
                state.deadline
            };
            match deadline {
                None => self.attention.notified().await,
                Some(deadline) if deadline <= Instant::now() => return,
                // The timer is not cancelled when the event ends in time: waking once per timeout
                // costs less than a timer per event.
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            }
        }
    }
}

impl Poll<'_> {
    /// The next event. An event that was not taken because the runtime hung up waits for its next
    /// poll.
    pub(crate) async fn event(self) -> Event {
        loop {
            if let Some(event) = self.0.state().pending.take() {
                return event;
            }
            self.0.event.notified().await;
        }
    }
}

impl Drop for Poll<'_> {
    fn drop(&mut self) {
        self.0.state().pollers -= 1;
        // Another poll may have been waiting behind the one that ends here.
        self.0.event.notify_one();
    }
}

/// The id of the first record of an event that a queue or a stream made; other events are not
/// parsed for it.
fn message(event: &[u8]) -> Option<String> {
    event.starts_with(br#"{"Records":"#).then(|| faults::facts::message(event)).flatten()
}
