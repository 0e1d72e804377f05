//! The generator watching itself: what it sent and how late, kept in counters of fixed size. It never allocates while traffic flows.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use reports::Outcome;
use reports::measurements::Endings;

/// 16 buckets for each power of two nanoseconds, up to about 19 hours: 6 % wide at most.
const BUCKETS: usize = 16 * 44;

/// Counts of durations by bucket.
#[derive(Debug)]
pub struct Spread {
    counts: Box<[AtomicU64]>,
    longest: AtomicU64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), longest: AtomicU64::new(0) }
    }
}

impl Spread {
    /// Counts one.
    pub fn record(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket(nanoseconds).min(BUCKETS - 1)) {
            count.fetch_add(1, Relaxed);
        }
        self.longest.fetch_max(nanoseconds, Relaxed);
    }

    /// The upper bound of the bucket in which the quantile `q` lies; zero where nothing was counted.
    pub fn quantile(&self, q: f64) -> Duration {
        let wanted = ((self.count() as f64 * q).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count.load(Relaxed);
            if seen >= wanted {
                return Duration::from_nanos(upper_bound(index)).min(self.longest());
            }
        }
        Duration::ZERO
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest.load(Relaxed))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < 16 {
        return nanoseconds as usize;
    }
    let exponent = 63 - nanoseconds.leading_zeros();
    ((exponent - 3) * 16) as usize + ((nanoseconds >> (exponent - 4)) & 15) as usize
}

fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 16 { bucket } else { ((16 + bucket % 16 + 1) << (bucket / 16 - 1)) - 1 }
}

/// How late requests were sent so far in the recorded phases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagGlance {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
}

impl LagGlance {
    pub(crate) fn of(spread: &Spread) -> Self {
        Self { p50: spread.quantile(0.5), p99: spread.quantile(0.99) }
    }
}

/// When the request was due that each user has under way: a place for each user.
#[derive(Debug)]
pub struct UnderWay(Box<[AtomicU64]>);

/// No request is under way.
const NONE: u64 = u64::MAX;

impl UnderWay {
    /// Places for `users`.
    pub fn new(users: usize) -> Self {
        Self((0..users).map(|_| AtomicU64::new(NONE)).collect())
    }

    /// Notes what the user at `place` has under way now: when it was due.
    pub fn note(&self, place: usize, due: Option<Duration>) {
        if let Some(noted) = self.0.get(place) {
            let nanoseconds = due.map(|due| u64::try_from(due.as_nanos()).unwrap_or(NONE));
            noted.store(nanoseconds.unwrap_or(NONE), Relaxed);
        }
    }

    /// How many are under way that were due by `moment`.
    pub fn due_by(&self, moment: Duration) -> u64 {
        let moment = u64::try_from(moment.as_nanos()).unwrap_or(NONE - 1).min(NONE - 1);
        self.0.iter().filter(|due| due.load(Relaxed) <= moment).count() as u64
    }
}

/// The largest status that is counted by itself; HTTP has three digits.
const STATUSES: usize = 1_000;

/// How one request ended, in more detail than its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A whole answer of this status, and whether it is right.
    Answered(u16, bool),
    /// No connection could be made.
    NoConnection,
    /// The connection ended before the answer was whole.
    CutOff,
    /// No whole answer in time.
    TimedOut,
    /// Given up because the run ended.
    Cancelled,
}

impl Ending {
    /// The outcome, and the status where there was an answer.
    pub const fn outcome(self) -> (Outcome, Option<u16>) {
        match self {
            Self::Answered(status, true) => (Outcome::Answered, Some(status)),
            Self::Answered(status, false) => (Outcome::Failed, Some(status)),
            Self::NoConnection | Self::CutOff => (Outcome::Failed, None),
            Self::TimedOut => (Outcome::TimedOut, None),
            Self::Cancelled => (Outcome::Cancelled, None),
        }
    }
}

/// Counts of endings.
#[derive(Debug)]
pub struct Tally {
    statuses: Box<[AtomicU64]>,
    unexpected: AtomicU64,
    no_connection: AtomicU64,
    cut_off: AtomicU64,
    timed_out: AtomicU64,
}

impl Default for Tally {
    fn default() -> Self {
        let [unexpected, no_connection, cut_off, timed_out] = [const { AtomicU64::new(0) }; 4];
        Self { statuses: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(), unexpected, no_connection, cut_off, timed_out }
    }
}

impl Tally {
    /// Counts one.
    pub fn count(&self, ending: Ending) {
        let counter = match ending {
            Ending::Answered(status, is_right) => {
                if let Some(count) = self.statuses.get(usize::from(status)) {
                    count.fetch_add(1, Relaxed);
                }
                if is_right {
                    return;
                }
                &self.unexpected
            }
            Ending::NoConnection => &self.no_connection,
            Ending::CutOff => &self.cut_off,
            Ending::TimedOut => &self.timed_out,
            Ending::Cancelled => return,
        };
        counter.fetch_add(1, Relaxed);
    }

    /// The counts so far.
    pub fn read(&self) -> Endings {
        let statuses = (0_u16..).zip(self.statuses.iter()).map(|(status, count)| (status, count.load(Relaxed)));
        Endings {
            statuses: statuses.filter(|(_, count)| *count > 0).collect(),
            unexpected: self.unexpected.load(Relaxed),
            no_connection: self.no_connection.load(Relaxed),
            cut_off: self.cut_off.load(Relaxed),
            timed_out: self.timed_out.load(Relaxed),
        }
    }
}

/// What was sent and what became of it.
#[derive(Debug, Default)]
pub struct Books {
    /// Requests sent, in any phase.
    pub sent: AtomicU64,
    /// Of these, answered as they call right.
    pub answered: AtomicU64,
    /// Of these, answered otherwise, failed or timed out.
    pub failed: AtomicU64,
    /// Requests due in the recorded phases.
    pub planned_recorded: AtomicU64,
    /// Of these, sent.
    pub sent_recorded: AtomicU64,
    /// Arrivals begun while a recorded phase lasted.
    pub begun_recorded: AtomicU64,
    /// How requests of the recorded phases ended.
    pub endings: Tally,
    /// How late requests of the recorded phases were sent once a user was free for them.
    pub lag: Spread,
    /// How long requests of the recorded phases waited past their time for a user, because every user of their system was busy: only those that did.
    pub waits: Spread,
}

impl Books {
    /// Books the lateness of a request of a recorded phase: due, a user free for it, sent.
    pub fn began(&self, due: Duration, free_at: Duration, sent: Duration) {
        let ready = free_at.clamp(due, sent.max(due));
        self.lag.record(sent.saturating_sub(ready));
        if ready > due {
            self.waits.record(ready - due);
        }
    }

    /// Books the end of a request.
    pub fn ended(&self, outcome: Outcome) {
        match outcome {
            Outcome::Answered => self.answered.fetch_add(1, Relaxed),
            Outcome::Failed | Outcome::TimedOut => self.failed.fetch_add(1, Relaxed),
            Outcome::Cancelled => 0,
        };
    }
}

/// Processor time that this process has used so far.
pub fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_right_within_a_bucket() {
        let spread = Spread::default();
        assert_eq!(spread.quantile(0.5), Duration::ZERO);
        for microseconds in 1..=10_000 {
            spread.record(Duration::from_micros(microseconds));
        }
        for (q, right) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.001, 10.0)] {
            let found = spread.quantile(q).as_secs_f64() * 1e6;
            assert!((found / right - 1.0).abs() < 0.07, "{q}: {found}");
        }
        assert_eq!(spread.longest(), Duration::from_millis(10));
        spread.record(Duration::from_secs(1 << 40));
        assert_eq!(bucket(16), 16);
        assert_eq!(upper_bound(bucket(1_000_000)), 1_015_807);
    }

    #[test]
    fn the_wait_for_a_user_is_booked_apart_from_the_generators_own_lag() {
        let ms = Duration::from_millis;
        for (due, free_at, sent, lag, wait) in
            [(100, 0, 100, 0, None), (100, 0, 130, 30, None), (100, 400, 400, 0, Some(300)), (100, 400, 410, 10, Some(300))]
        {
            let books = Books::default();
            books.began(ms(due), ms(free_at), ms(sent));
            assert_eq!((books.lag.count(), books.lag.longest()), (1, ms(lag)), "{due} {free_at} {sent}");
            assert_eq!((books.waits.count(), books.waits.longest()), (u64::from(wait.is_some()), ms(wait.unwrap_or(0))));
        }
    }

    #[test]
    fn every_ending_is_counted_once_and_by_its_kind() {
        let tally = Tally::default();
        let endings = [Ending::Answered(200, true), Ending::Answered(200, false), Ending::Answered(503, false)];
        let without_answer = [Ending::NoConnection, Ending::CutOff, Ending::CutOff, Ending::TimedOut, Ending::Cancelled];
        endings.into_iter().chain(without_answer).for_each(|ending| tally.count(ending));
        let statuses = [(200, 2), (503, 1)].into();
        assert_eq!(tally.read(), Endings { statuses, unexpected: 2, no_connection: 1, cut_off: 2, timed_out: 1 });
    }

    #[test]
    fn a_request_is_under_way_from_its_note_to_the_next() {
        let s = Duration::from_secs;
        let under_way = UnderWay::new(3);
        under_way.note(0, Some(s(1)));
        under_way.note(2, Some(s(4)));
        under_way.note(7, Some(s(1)));
        assert_eq!([0, 1, 3, 4, u64::MAX].map(|at| under_way.due_by(s(at))), [0, 1, 1, 2, 2]);
        under_way.note(0, None);
        assert_eq!(under_way.due_by(s(9)), 1);
    }

    #[test]
    fn processor_time_rises() {
        let before = processor_time();
        assert!((0..3_000_000_u64).fold(0_u64, |sum, n| std::hint::black_box(sum.wrapping_mul(31) ^ n)) != 1);
        assert!(processor_time() > before);
    }
}
