//! Requests sent when they are due, whatever became of those before. It knows no system under test and keeps no answer.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use goose::goose::GooseUser;
use http_body_util::Full;
use hyper::Request;
use reports::{Outcome, Phase};
use tokio::sync::watch;

use crate::books::{Books, Ending, UnderWay};
use crate::error::TrafficError;
use crate::means::Means;
use crate::no_answer::NoAnswer;
use crate::pacer::Pacer;
use crate::reply::Reply;
use crate::schedule::Schedule;
use crate::sender::Connections;
use crate::timeline::Timeline;

/// What a user does at an arrival.
#[async_trait]
pub trait Scenario: Send + Sync + 'static {
    /// One word, such as `thermostat`: goose's rows begin with it.
    fn name(&self) -> &'static str;

    /// How long before it is due a journey begins, where something has to be made ready that is sent when it is due.
    fn lead(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether its requests go over the connections of its system, which are open then before the first of them is due.
    fn keeps_connections(&self) -> bool {
        true
    }

    /// Makes the journey that begins with `arrival`.
    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>);
}

/// One arrival of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0.
    pub number: u64,
    /// When it is due, from the first arrival of the warm-up.
    pub due: Duration,
}

/// One scenario with its schedule and its users.
#[derive(Clone)]
pub struct System {
    /// What is done.
    pub scenario: Arc<dyn Scenario>,
    /// When.
    pub schedule: Arc<Schedule>,
    /// By how many at a time; when all are busy the next arrival is late.
    pub users: usize,
    /// `host:port` to which its requests go.
    pub address: String,
}

/// Whether an answer of this status and body is right.
pub type IsRight<'a> = &'a (dyn Fn(u16, &[u8]) -> bool + Send + Sync);

/// One request.
pub struct Ask<'a> {
    /// When it is due.
    pub due: Duration,
    /// The row in which goose counts it, without the scenario's name.
    pub row: &'static str,
    /// The request itself.
    pub request: Request<Full<Bytes>>,
    /// Which answers are right; any other is a failure.
    pub is_right: IsRight<'a>,
}

/// What became of a request. Times are offsets from the first arrival of the warm-up.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When it was due.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When the first part of its body was there.
    pub began: Option<Duration>,
    /// When the whole answer was there, or was given up.
    pub done: Duration,
    /// The phase in which it was due.
    pub phase: Option<Phase>,
    /// How it ended.
    pub outcome: Outcome,
    /// The status, where there was an answer.
    pub status: Option<u16>,
    /// The whole body, decompressed where it can be, or nothing.
    pub body: Bytes,
}

/// What became of something that went another way than HTTP. Times are offsets from the first arrival of the warm-up.
#[derive(Debug, Clone)]
pub struct Carried<T> {
    /// When its sending began.
    pub sent: Duration,
    /// When it had ended, or was given up.
    pub done: Duration,
    /// The phase in which it was due.
    pub phase: Option<Phase>,
    /// How it ended.
    pub outcome: Outcome,
    /// What came of it; `None` where it was cancelled.
    pub value: Option<T>,
}

/// What all users of all systems share.
#[derive(Debug)]
pub struct Stage {
    /// When each phase is.
    pub timeline: Timeline,
    /// What this process sends with.
    pub means: Means,
    /// What was sent.
    pub books: Books,
    pub(crate) under_way: UnderWay,
    pub(crate) pacer: Pacer,
    begun: OnceLock<Instant>,
    expected: AtomicUsize,
    ready: AtomicUsize,
    left: AtomicUsize,
    step: watch::Sender<Step>,
    /// Why the generator cannot go on.
    failure: Mutex<Option<TrafficError>>,
    /// Why the first connection that could not be made failed.
    refused: OnceLock<String>,
}

/// How far the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Preparing,
    Running,
    Stopping,
    Over,
}

/// Between the last user's readiness and the first arrival: goose finishes its own start in it.
const RUN_UP: Duration = Duration::from_millis(50);

impl Stage {
    /// A stage on which `users` are expected, with at most `rate` arrivals a second of all workers together.
    pub fn new(timeline: Timeline, means: Means, users: usize, rate: f64) -> Self {
        Self {
            timeline,
            books: Books::default(),
            under_way: UnderWay::new(users),
            pacer: Pacer::new(means.part.rate(rate)),
            means,
            begun: OnceLock::new(),
            expected: AtomicUsize::new(users),
            ready: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            step: watch::Sender::new(Step::Preparing),
            failure: Mutex::default(),
            refused: OnceLock::new(),
        }
    }

    /// Offset 0, once all users are ready.
    pub fn begun(&self) -> Option<Instant> {
        self.begun.get().copied()
    }

    /// The offset of `moment`; zero before the begin.
    pub fn offset(&self, moment: Instant) -> Duration {
        self.begun().map_or(Duration::ZERO, |begun| moment.saturating_duration_since(begun))
    }

    /// Cancels what is left: requests in flight are given up, arrivals to come are not begun.
    pub fn stop(&self) {
        self.step.send_if_modified(|step| {
            let stops = matches!(step, Step::Preparing | Step::Running);
            if stops {
                *step = Step::Stopping;
            }
            stops
        });
        self.pacer.close();
    }

    /// Ends the run because the generator cannot go on; the first reason stays.
    pub(crate) fn fail(&self, error: TrafficError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.stop();
    }

    /// Ends the run where a connection failed for want of files here: no system is to blame for it.
    pub fn not_connected(&self, error: &NoAnswer) {
        use rustix::io::Errno;
        let NoAnswer::Connect(error) = error else { return };
        self.refused.get_or_init(|| error.to_string());
        if let Some(known @ (Errno::MFILE | Errno::NFILE)) = Errno::from_io_error(error) {
            self.fail(TrafficError::OpenFiles(known.into()));
        }
    }

    /// Why the first connection that could not be made failed.
    pub(crate) fn refused(&self) -> Option<String> {
        self.refused.get().cloned()
    }

    /// Why the generator could not go on, once.
    pub(crate) fn failure(&self) -> Option<TrafficError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn steps(&self) -> watch::Receiver<Step> {
        self.step.subscribe()
    }

    /// goose is gone, with or without all its users.
    pub(crate) fn end(&self) {
        self.step.send_replace(Step::Over);
        self.pacer.close();
    }

    /// The place of this user among all of them.
    pub(crate) fn one_is_ready(&self) -> usize {
        let place = self.ready.fetch_add(1, SeqCst);
        if place + 1 == self.expected.load(SeqCst) {
            let _ = self.begun.set(self.means.begin(Instant::now() + RUN_UP));
            self.step.send_if_modified(|step| {
                let begins = *step == Step::Preparing;
                if begins {
                    *step = Step::Running;
                }
                begins
            });
        }
        place
    }

    pub(crate) fn one_has_left(&self) {
        if self.left.fetch_add(1, SeqCst) + 1 == self.expected.load(SeqCst) {
            self.step.send_replace(Step::Over);
            self.pacer.close();
        }
    }
}

/// Whether what happens in `phase` counts.
pub(crate) fn is_recorded(phase: Option<Phase>) -> bool {
    matches!(phase, Some(Phase::Baseline | Phase::Fault | Phase::Recovery))
}

/// What one user sends with: the connections of its system, and the pacer of all.
pub struct Hands<'a> {
    pub(crate) user: &'a mut GooseUser,
    pub(crate) connections: &'a Connections,
    pub(crate) steps: &'a mut watch::Receiver<Step>,
    /// What all users share.
    pub stage: &'a Stage,
    pub(crate) scenario: &'static str,
    /// This user's place among all of them.
    pub(crate) place: usize,
    /// When this user was free for what it sends next.
    pub(crate) free_at: Duration,
}

impl Hands<'_> {
    /// Waits until the request is due, sends it, reads the whole answer, and books it. `None` where the run was stopped before it was due.
    pub async fn ask(&mut self, ask: Ask<'_>) -> Option<Answer> {
        let (sent, phase) = self.begin(ask.due).await?;
        let method = ask.request.method().clone();
        let ended = tokio::select! {
            ended = self.connections.ask(ask.request) => Some(ended),
            () = stopped(self.steps) => None,
        };
        let done = self.now();
        self.free_at = done;
        if let Some(Err(error)) = &ended {
            self.stage.not_connected(error);
        }
        let began = ended.as_ref().and_then(|ended| ended.as_ref().ok()?.began).map(|began| self.stage.offset(began));
        let (ending, body) = judge(ended, ask.is_right);
        if is_recorded(phase) {
            self.stage.books.endings.count(ending);
        }
        let (outcome, status) = ending.outcome();
        let row = if ask.row.is_empty() { method.as_str() } else { ask.row };
        self.end(row, done.saturating_sub(ask.due), outcome, status).await;
        Some(Answer { due: ask.due, sent, began, done, phase, outcome, status, body })
    }

    /// The same for what goes another way than HTTP: `work` is not begun before it is due, and says how it ended, with a status where there is one.
    pub async fn carry<T>(
        &mut self,
        due: Duration,
        row: &str,
        work: impl Future<Output = (Outcome, Option<u16>, T)> + Send,
    ) -> Option<Carried<T>> {
        let (sent, phase) = self.begin(due).await?;
        let ended = tokio::select! {
            ended = work => Some(ended),
            () = stopped(self.steps) => None,
        };
        let done = self.now();
        self.free_at = done;
        let (outcome, status, value) = match ended {
            Some((outcome, status, value)) => (outcome, status, Some(value)),
            None => (Outcome::Cancelled, None, None),
        };
        self.end(row, done.saturating_sub(due), outcome, status).await;
        Some(Carried { sent, done, phase, outcome, value })
    }

    /// Waits until `due` and books the begin: when that was, and the phase in which it was due.
    async fn begin(&mut self, due: Duration) -> Option<(Duration, Option<Phase>)> {
        if !self.wait_until(due).await {
            return None;
        }
        let books = &self.stage.books;
        let phase = self.stage.timeline.phase_at(due);
        let sent = self.now();
        books.sent.fetch_add(1, Relaxed);
        self.stage.under_way.note(self.place, Some(due));
        if is_recorded(phase) {
            books.planned_recorded.fetch_add(1, Relaxed);
            books.sent_recorded.fetch_add(1, Relaxed);
            books.began(due, self.free_at, sent);
        }
        Some((sent, phase))
    }

    /// Books the end, and tells goose of it.
    async fn end(&mut self, row: &str, took: Duration, outcome: Outcome, status: Option<u16>) {
        self.stage.under_way.note(self.place, None);
        self.stage.books.ended(outcome);
        let answered = outcome == Outcome::Answered;
        let error = (!answered).then_some(match outcome {
            Outcome::TimedOut => "timed out",
            Outcome::Cancelled => "cancelled",
            _ => "failed",
        });
        // goose refuses a row only for an empty name; its own rows are not the harness's record.
        let _ = self.user.record_custom_request_duration(self.scenario, row, took, answered, status, error).await;
    }

    /// Waits until `due`; false where the run was stopped.
    pub async fn wait_until(&mut self, due: Duration) -> bool {
        let Some(begun) = self.stage.begun() else { return false };
        self.stage.pacer.wait_until(begun + due).await
    }

    /// Now, as an offset.
    pub fn now(&self) -> Duration {
        self.stage.offset(Instant::now())
    }
}

async fn stopped(steps: &mut watch::Receiver<Step>) {
    let _ = steps.wait_for(|step| matches!(step, Step::Stopping | Step::Over)).await;
}

fn judge(ended: Option<Result<Reply, NoAnswer>>, is_right: IsRight<'_>) -> (Ending, Bytes) {
    let ending = match ended {
        Some(Ok(reply)) => {
            let status = reply.status;
            return match reply.body() {
                Ok(body) => (Ending::Answered(status, is_right(status, &body)), body),
                Err(damaged) => (Ending::Answered(status, false), damaged),
            };
        }
        Some(Err(NoAnswer::Patience(_))) => Ending::TimedOut,
        Some(Err(NoAnswer::Connect(_))) => Ending::NoConnection,
        Some(Err(NoAnswer::Connection(_) | NoAnswer::Closed)) => Ending::CutOff,
        None => Ending::Cancelled,
    };
    (ending, Bytes::new())
}
