//! Requests under way: the users at work, what is known of them meanwhile, and what they did in the end. It judges nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use reports::measurements::{Endings, Generator};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::books::{LagGlance, processor_time};
use crate::error::TrafficError;
use crate::goose_users::{self, Users};
use crate::means::Means;
use crate::open_model::{Stage, Step, System};
use crate::timeline::Timeline;

/// A request without an answer for this long counts as failed while the run goes on.
const OVERDUE: Duration = Duration::from_secs(5);

/// A moment of the traffic, for the progress line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// Requests sent so far, warm-up included.
    pub sent: u64,
    /// Of these, answered as they call right.
    pub answered: u64,
    /// Of these, answered otherwise, failed or timed out.
    pub failed: u64,
    /// Due more than 5 s ago and still without an answer, sent or not.
    pub overdue: u64,
    /// Offset of the traffic's clock.
    pub offset: Duration,
}

/// What the generator knows at the end, beside the answers.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its health.
    pub generator: Generator,
    /// How the requests of the recorded phases ended.
    pub endings: Endings,
    /// Requests due in the recorded phases, and of these those that were sent.
    pub planned: u64,
    /// Sent in the recorded phases.
    pub sent: u64,
    /// Of these, sent late because every user of their system was busy, most of them waiting for an answer. The generator's lag leaves that wait out.
    pub waited_for_users: u64,
    /// The longest such wait.
    pub longest_wait: Duration,
    /// Why the first connection that could not be made failed.
    pub refused: Option<String>,
}

/// Requests under way. What is left is cancelled when it is dropped.
pub struct Sending {
    users: Users,
    stage: Arc<Stage>,
    started: Instant,
    processor: Processor,
}

/// Notes the processor time when the recorded phases begin and when they end, or when the run does.
struct Processor {
    times: watch::Receiver<Times>,
    noting: AbortHandle,
}

/// Processor time at the begin and at the end of the recorded phases.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    from: Option<(Instant, Duration)>,
    to: Option<(Instant, Duration)>,
}

impl Processor {
    fn watch(stage: &Stage, started: Instant) -> Self {
        let (tell, times) = watch::channel(Times::default());
        let mut steps = stage.steps();
        let (from, to) = (started + stage.timeline.recording_from(), started + stage.timeline.end());
        let noting = tokio::spawn(async move {
            let now = || Some((Instant::now(), processor_time()));
            tokio::time::sleep_until(from.into()).await;
            tell.send_modify(|times| times.from = now());
            tokio::select! {
                () = tokio::time::sleep_until(to.into()) => {}
                _ = steps.wait_for(|step| matches!(step, Step::Stopping | Step::Over)) => {}
            }
            tell.send_modify(|times| times.to = now());
        });
        Self { times, noting: noting.abort_handle() }
    }

    /// Processor time over wall time in the recorded phases.
    fn share(&self) -> f64 {
        let times = *self.times.borrow();
        let Some((from, used_before)) = times.from else { return 0.0 };
        let (to, used) = times.to.unwrap_or_else(|| (Instant::now(), processor_time()));
        let wall = to.saturating_duration_since(from);
        if wall.is_zero() { 0.0 } else { used.saturating_sub(used_before).as_secs_f64() / wall.as_secs_f64() }
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        self.noting.abort();
    }
}

impl Sending {
    /// Begins to send for `systems`; goose's own report goes to `report`, where it is wanted.
    ///
    /// # Errors
    /// Where there is nothing to send, or goose refuses.
    pub async fn start(systems: Vec<System>, timeline: Timeline, means: Means, report: Option<PathBuf>) -> Result<Self, TrafficError> {
        if systems.is_empty() {
            return Err(TrafficError::Preparation("there is nothing to send".to_owned()));
        }
        let users = goose_users::start(systems, timeline, means, report).await?;
        let stage = Arc::clone(&users.stage);
        let started = stage.begun().ok_or_else(|| TrafficError::Goose("it did not begin".to_owned()))?;
        let processor = Processor::watch(&stage, started);
        Ok(Self { users, stage, started, processor })
    }

    /// Offset 0: when the first arrival was due.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The books at this moment.
    pub fn glance(&self) -> Glance {
        let books = &self.stage.books;
        let offset = self.stage.offset(Instant::now());
        Glance {
            sent: books.sent.load(Relaxed),
            answered: books.answered.load(Relaxed),
            failed: books.failed.load(Relaxed),
            overdue: self.overdue(offset),
            offset,
        }
    }

    /// Requests due more than [`OVERDUE`] ago without an answer: those under way, and while the schedule lasts those that no user has taken.
    fn overdue(&self, now: Duration) -> u64 {
        let Some(moment) = now.checked_sub(OVERDUE) else { return 0 };
        let shares = self.users.shares.iter();
        let not_taken = if now < self.stage.timeline.end() { shares.map(|share| share.not_taken(moment)).sum() } else { 0 };
        self.stage.under_way.due_by(moment) + not_taken
    }

    /// How late requests were sent so far.
    pub fn lag(&self) -> LagGlance {
        LagGlance::of(&self.stage.books.lag)
    }

    /// Cancels what is left; it is over soon after.
    pub fn stop(&self) {
        self.stage.stop();
    }

    /// Waits until all requests have come to their end.
    pub async fn over(&self) {
        self.users.over().await;
    }

    /// Waits for the last request and for goose's report.
    ///
    /// # Errors
    /// What goose complained about.
    pub async fn finished(self) -> Result<Ended, TrafficError> {
        self.over().await;
        let ended = self.ended(self.stage.offset(Instant::now()).min(self.stage.timeline.end()));
        self.users.finished().await?;
        Ok(ended)
    }

    fn ended(&self, offset: Duration) -> Ended {
        let books = &self.stage.books;
        let (due, missed) = self.users.shares.iter().map(|share| share.recorded_arrivals(offset)).fold((0, 0), |sum, one| {
            let ((due, missed), (more_due, more_missed)) = (sum, one);
            (due + more_due, missed + more_missed)
        });
        let timeline = self.stage.timeline;
        // The recorded phases up to now, arming left out.
        let recorded =
            offset.min(timeline.strike_at()).saturating_sub(timeline.recording_from()) + offset.saturating_sub(timeline.fault_from());
        let per_second = |count: u64| if recorded.is_zero() { 0.0 } else { count as f64 / recorded.as_secs_f64() };
        Ended {
            generator: Generator {
                intended_per_s: per_second(due),
                achieved_per_s: per_second(books.begun_recorded.load(Relaxed)),
                lag_p50: books.lag.quantile(0.5),
                lag_p99: books.lag.quantile(0.99),
                lag_max: books.lag.longest(),
                cpu: self.processor.share(),
            },
            endings: books.endings.read(),
            planned: books.planned_recorded.load(Relaxed) + missed,
            sent: books.sent_recorded.load(Relaxed),
            waited_for_users: books.waits.count(),
            longest_wait: books.waits.longest(),
            refused: self.stage.refused(),
        }
    }
}
