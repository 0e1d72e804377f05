//! The users of one system: how many it needs, and which of them takes the next arrival. It sends nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::goose_users::PATIENCE;
use crate::open_model::{Arrival, Stage, System, is_recorded};
use crate::part::Part;
use crate::sender::Connections;

/// An arrival may be sent this long after the end of the schedule, and no longer.
const OVERDUE: Duration = Duration::from_secs(1);

/// More users than this, of which each has a connection and a timer, are more than one thread should serve.
const MOST_USERS: usize = 4_000;

/// What a scenario's longest journey needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journey {
    /// Without a fault.
    pub time: Duration,
    /// How many of its requests a fault can slow down.
    pub requests: u32,
}

/// How long journeys take, from which the number of users follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JourneyTime {
    /// What each scenario needs, and so much more for each request: the time that the faults add on average.
    Slowed(Duration),
    /// So long, whatever the scenario.
    Fixed(Duration),
}

impl Default for JourneyTime {
    fn default() -> Self {
        Self::Slowed(Duration::ZERO)
    }
}

impl JourneyTime {
    /// The users needed at `rate` arrivals a second whose journeys take up to `journey`.
    pub fn users(self, rate: f64, journey: Journey) -> usize {
        let longest = match self {
            Self::Slowed(added) => journey.time + added * journey.requests,
            Self::Fixed(longest) => longest,
        };
        ((rate * longest.as_secs_f64()).ceil() as usize).clamp(8, MOST_USERS)
    }
}

/// The part of a system that its users share: the next free user takes the next arrival, so that one slow answer delays no other.
pub(crate) struct Share {
    pub(crate) system: System,
    pub(crate) stage: Arc<Stage>,
    pub(crate) connections: Connections,
    part: Part,
    /// How many of its own arrivals were taken.
    next: AtomicU64,
    busy: Mutex<Busy>,
}

/// How many users are in a journey, and since when all of them are.
#[derive(Debug, Default)]
struct Busy {
    users: usize,
    all_since: Option<Duration>,
}

impl Share {
    pub(crate) fn new(system: System, stage: Arc<Stage>) -> Self {
        let connections = Connections::new(&system.address, PATIENCE).over(stage.means.tls.clone());
        let part = stage.means.part;
        Self { system, stage, connections, part, next: AtomicU64::new(0), busy: Mutex::default() }
    }

    /// The next arrival, and when a user was free for it: later than it was due only where every user was busy then.
    pub(crate) fn take(&self) -> Option<(Arrival, Duration)> {
        let now = self.stage.offset(Instant::now());
        // What is still overdue after the end is not sent any more: it would be load without a phase. It counts as missed.
        if now > self.stage.timeline.end() + OVERDUE {
            return None;
        }
        let number = self.part.number(self.next.fetch_add(1, Relaxed));
        let due = self.system.schedule.due(number)?;
        let all_since = self.busy.lock().unwrap_or_else(PoisonError::into_inner).all_since;
        Some((Arrival { number, due }, free_at(due, now, all_since)))
    }

    /// A user that was free begins a journey.
    pub(crate) fn begins(&self) {
        let now = self.stage.offset(Instant::now());
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.users += 1;
        if busy.users >= self.system.users {
            busy.all_since = Some(now);
        }
    }

    /// A user has ended its journey and waits for an arrival that is not due yet.
    pub(crate) fn ends(&self) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.users = busy.users.saturating_sub(1);
        busy.all_since = None;
    }

    /// Arrivals that were due by `moment` and that no user has taken yet.
    pub(crate) fn not_taken(&self, moment: Duration) -> u64 {
        self.part.among(self.system.schedule.due_by(moment)).saturating_sub(self.next.load(Relaxed))
    }

    /// Arrivals due in the recorded phases before `end`: all of them, and those that nobody took.
    pub(crate) fn recorded_arrivals(&self, end: Duration) -> (u64, u64) {
        let next = self.next.load(Relaxed);
        let (mut due, mut missed) = (0, 0);
        for own in 0..self.part.among(self.system.schedule.count()) {
            let Some(at) = self.system.schedule.due(self.part.number(own)).filter(|at| *at < end) else { break };
            if is_recorded(self.stage.timeline.phase_at(at)) {
                due += 1;
                missed += u64::from(own >= next);
            }
        }
        (due, missed)
    }
}

/// When a user was free for an arrival that is taken `now`. Where not all were busy when it was due, lateness is the generator's own:
/// it stood still or was short of processor time.
fn free_at(due: Duration, now: Duration, all_busy_since: Option<Duration>) -> Duration {
    if all_busy_since.is_some_and(|since| since <= due) { now.max(due) } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_follow_from_the_rate_the_journey_and_what_the_faults_add_to_each_request() {
        let second = Duration::from_secs(1);
        let journey = Journey { time: 3 * second, requests: 2 };
        for (journeys, rate, expected) in [
            (JourneyTime::default(), 50.0, 150),
            (JourneyTime::Slowed(2 * second), 50.0, 350),
            (JourneyTime::Fixed(10 * second), 50.0, 500),
            (JourneyTime::default(), 0.1, 8),
            (JourneyTime::Slowed(29 * second), 1_000.0, MOST_USERS),
        ] {
            assert_eq!(journeys.users(rate, journey), expected, "{journeys:?} {rate}");
        }
    }

    #[test]
    fn an_arrival_waited_for_a_user_only_where_all_were_busy_when_it_was_due() {
        let ms = Duration::from_millis;
        for (due, now, all_busy_since, free) in [
            (100, 40, None, 100),
            (100, 40, Some(10), 100),
            (100, 900, Some(10), 900),
            (100, 900, Some(100), 900),
            // The generator stood still from 90 to 800, and then all began at once.
            (100, 900, Some(800), 100),
            (100, 900, None, 100),
        ] {
            assert_eq!(free_at(ms(due), ms(now), all_busy_since.map(ms)), ms(free), "{due} {now} {all_busy_since:?}");
        }
    }
}
