//! Puts the traffic together: signs in, connects, begins, tells what happens, and ends. It judges nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use reports::measurements::Generator;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

use crate::Event;
use crate::traffic::books::{Books, processor_time};
use crate::traffic::goose_users::{self, Users};
use crate::traffic::open_model::Stage;
use crate::traffic::preparation::{Companion, Preparation};
use crate::traffic::requests;
use crate::traffic::{Ended, Glance, LagGlance, Order, TrafficError};

/// A request without an answer for so long counts as failed for whoever watches.
const OVERDUE: Duration = Duration::from_secs(5);

/// Traffic under way. What it started ends when it is dropped.
pub struct Traffic {
    /// What happens, in the order in which it came to its end.
    pub events: UnboundedReceiver<Event>,
    users: Option<Users>,
    stage: Arc<Stage>,
    started: Instant,
    companions: Vec<Box<dyn Companion>>,
    tasks: JoinSet<()>,
    processor: tokio::sync::watch::Receiver<Processor>,
}

/// Processor time at the begin and at the end of the recorded phases.
#[derive(Debug, Clone, Copy, Default)]
struct Processor {
    from: Option<(Instant, Duration)>,
    to: Option<(Instant, Duration)>,
}

/// Signs users in, connects devices and watcher, then begins. [`crate::traffic::keep_signals`] is to be called first thing in the process.
///
/// # Errors
/// Where users cannot sign in, devices cannot connect, or goose refuses.
pub async fn start(order: Order) -> Result<Traffic, TrafficError> {
    let (tell, events) = mpsc::unbounded_channel();
    let mut prepared = Preparation::new(&order, tell.clone());
    for load in &order.load.systems {
        load.prepare(&mut prepared).await?;
    }
    let Preparation { mut tasks, mut systems, mut companions, .. } = prepared;
    systems.extend(requests::systems(&order, &tell));
    if systems.is_empty() {
        return Err(TrafficError::Preparation("there is nothing to send".to_owned()));
    }
    let users = goose_users::start(systems, order.timeline, order.goose_report.clone()).await?;
    let stage = Arc::clone(&users.stage);
    let started = stage.begun().ok_or_else(|| TrafficError::Goose("it did not begin".to_owned()))?;
    for companion in &mut companions {
        companion.begin(&order, started)?;
    }
    let processor = watch_processor(&mut tasks, &stage, started);
    Ok(Traffic { events, users: Some(users), stage, started, companions, tasks, processor })
}

/// Notes the processor time when the recorded phases begin and when they end, or when the run does.
fn watch_processor(tasks: &mut JoinSet<()>, stage: &Arc<Stage>, started: Instant) -> tokio::sync::watch::Receiver<Processor> {
    let (tell, told) = tokio::sync::watch::channel(Processor::default());
    let mut steps = stage.steps();
    let (from, to) = (started + stage.timeline.recording_from(), started + stage.timeline.end());
    tasks.spawn(async move {
        let now = || Some((Instant::now(), processor_time()));
        tokio::time::sleep_until(from.into()).await;
        tell.send_modify(|processor| processor.from = now());
        tokio::select! {
            () = tokio::time::sleep_until(to.into()) => {}
            _ = steps.wait_for(|step| matches!(step, crate::traffic::open_model::Step::Stopping | crate::traffic::open_model::Step::Over)) => {}
        }
        tell.send_modify(|processor| processor.to = now());
    });
    told
}

impl Traffic {
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
        let shares = self.users.iter().flat_map(|users| &users.shares);
        let not_taken = if now < self.stage.timeline.end() { shares.map(|share| share.not_taken(moment)).sum() } else { 0 };
        self.stage.under_way.due_by(moment) + not_taken
    }

    /// How late requests were sent so far.
    pub fn lag(&self) -> LagGlance {
        LagGlance::of(&self.stage.books.lag)
    }

    /// Cancels what is left; it is over soon after. Devices stay connected.
    pub fn stop(&self) {
        self.stage.stop();
    }

    /// The next event; `None` once all requests have come to their end and nothing more has happened. It may be called again
    /// later: devices go on until the traffic is finished or dropped.
    pub async fn next(&mut self) -> Option<Event> {
        let over = async {
            match &self.users {
                Some(users) => users.over().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.events.recv() => event,
            () = over => self.events.try_recv().ok(),
        }
    }

    /// Tells the traffic what a service saw: some of what goes on beside the scenarios answers to it. Other events are left alone.
    pub fn tell(&self, event: &Event) {
        if let Event::Saw { seen, .. } = event {
            self.companions.iter().for_each(|companion| companion.saw(seen));
        }
    }

    /// Waits until nothing beside the scenarios, such as a device, has anything to report, but not for long.
    pub async fn quiet(&self) {
        for companion in &self.companions {
            companion.quiet().await;
        }
    }

    /// Waits for the last request and for goose's report, then disconnects the devices.
    ///
    /// # Errors
    /// What goose complained about.
    pub async fn finished(mut self) -> Result<Ended, TrafficError> {
        let Some(users) = self.users.take() else { return Err(TrafficError::Goose("it was finished before".to_owned())) };
        users.over().await;
        let offset = self.stage.offset(Instant::now()).min(self.stage.timeline.end());
        let ended = self.ended(&users, offset);
        users.finished().await?;
        self.companions.clear();
        self.tasks.abort_all();
        Ok(ended)
    }

    fn ended(&self, users: &Users, offset: Duration) -> Ended {
        let books = &self.stage.books;
        let (due, missed) = users.shares.iter().map(|share| share.recorded_arrivals(offset)).fold((0, 0), |sum, one| {
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
                cpu: self.processor(),
            },
            planned: planned(books, missed),
            sent: books.sent_recorded.load(Relaxed),
            waited_for_users: books.waits.count(),
            longest_wait: books.waits.longest(),
        }
    }

    /// Processor time over wall time in the recorded phases.
    fn processor(&self) -> f64 {
        let processor = *self.processor.borrow();
        let Some((from, used_before)) = processor.from else { return 0.0 };
        let (to, used) = processor.to.unwrap_or_else(|| (Instant::now(), processor_time()));
        let wall = to.saturating_duration_since(from);
        if wall.is_zero() { 0.0 } else { used.saturating_sub(used_before).as_secs_f64() / wall.as_secs_f64() }
    }
}

fn planned(books: &Books, missed: u64) -> u64 {
    books.planned_recorded.load(Relaxed) + missed
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.stage.stop();
    }
}
