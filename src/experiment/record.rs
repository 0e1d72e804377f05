//! Keeps what was measured: latencies and the interval log, the generator's books, and what the oracles found.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::Duration;

use reports::aims::surely_missed;
use reports::formats::interval_log::IntervalLogWriter;
use reports::measurements::{Books, Exchange as Shown, Invariant as Found};
use reports::{ArmTag, Latencies, Outcome, Phase, Tag};
use scenarios::exchange::RecordEnd;
use scenarios::invariants::{Breach, Invariant, Quiet};
use scenarios::{Event, Exchange, Timeline};

use super::join::Joined;
use super::plan::Plan;

/// The endpoint under which a device's convergence is recorded.
const CONVERGENCE: &str = "thermostat desired -> reported";

/// The endpoint under which the handing in of a mail is recorded.
const HANDED_IN: &str = "mail SMTP";

/// The endpoint under which the way of a mail to its end is recorded.
const DISPOSED: &str = "mail arrival -> disposition";

/// The endpoint under which the way from the end of a record to the disabled member is recorded.
const PRUNED: &str = "inactive-users expiry -> disabled";

/// The endpoint under which the way of an accepted record to its end is recorded.
const CLOSED: &str = "audit accepted -> closed";

/// A report shows at most this many exchanges for each rule.
const MOST_EXCHANGES: usize = 5;

struct Watched {
    rule: Box<dyn Invariant>,
    found: Found,
}

/// What is kept of a run.
pub struct Recorder {
    timeline: Timeline,
    latencies: Latencies,
    log: IntervalLogWriter<BufWriter<File>>,
    books: Books,
    watched: Vec<Watched>,
}

impl Recorder {
    /// Begins; the interval log is `latency.hlog` in `folder`.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn begin(folder: &Path, timeline: Timeline, started_unix_ms: u64, rules: Vec<Box<dyn Invariant>>) -> io::Result<Self> {
        let log = BufWriter::new(File::create(folder.join("latency.hlog"))?);
        let found = |rule: &dyn Invariant| Found {
            id: rule.id().to_owned(),
            rule: rule.rule().to_owned(),
            checked: 0,
            broken: 0,
            broken_in_baseline: 0,
            exchanges: Vec::new(),
        };
        Ok(Self {
            timeline,
            latencies: Latencies::default(),
            log: IntervalLogWriter::new(log, started_unix_ms)?,
            books: Books::default(),
            watched: rules.into_iter().map(|rule| Watched { found: found(rule.as_ref()), rule }).collect(),
        })
    }

    /// Takes what happened.
    pub fn see(&mut self, joined: &Joined) {
        match &joined.event {
            Event::Exchange(exchange) => self.exchange(exchange, joined.arm, joined.half),
            Event::Converged { acknowledged, reported, .. } => {
                let latency = reported.saturating_sub(*acknowledged);
                self.record(
                    CONVERGENCE,
                    *acknowledged,
                    self.timeline.phase_at(*acknowledged),
                    ArmTag::Untouched,
                    Outcome::Answered,
                    latency,
                    false,
                );
            }
            Event::Mail(mail) => {
                self.count(mail.phase, mail.outcome);
                self.record(HANDED_IN, mail.due, mail.phase, ArmTag::Untouched, mail.outcome, mail.done.saturating_sub(mail.due), false);
            }
            Event::Disposed(disposed) => {
                let outcome = if disposed.right { Outcome::Answered } else { Outcome::Failed };
                let latency = disposed.at.saturating_sub(disposed.arrived);
                self.record(DISPOSED, disposed.arrived, disposed.phase, joined.arm, outcome, latency, joined.half);
            }
            Event::Closed(closed) => {
                let outcome = if closed.end == RecordEnd::Completed { Outcome::Answered } else { Outcome::Failed };
                // The final notice may come before the answer.
                let latency = closed.at.saturating_sub(closed.accepted);
                self.record(CLOSED, closed.accepted, closed.phase, joined.arm, outcome, latency, joined.half);
            }
            Event::Pruned { expired, at, .. } => {
                let phase = self.timeline.phase_at(*expired);
                self.record(PRUNED, *expired, phase, ArmTag::Untouched, Outcome::Answered, at.saturating_sub(*expired), false);
            }
            // The rest is for the oracles alone.
            _ => {}
        }
        for watched in &mut self.watched {
            let (breaches, checks) = watched.rule.see(&joined.event);
            watched.found.checked += checks;
            keep(&mut watched.found, breaches, &self.timeline);
        }
    }

    fn count(&mut self, phase: Option<Phase>, outcome: Outcome) {
        if matches!(phase, None | Some(Phase::WarmUp)) {
            return;
        }
        *match outcome {
            Outcome::Answered => &mut self.books.answered,
            Outcome::Failed => &mut self.books.failed,
            Outcome::TimedOut => &mut self.books.timed_out,
            Outcome::Cancelled => &mut self.books.cancelled,
        } += 1;
    }

    fn exchange(&mut self, exchange: &Exchange, arm: ArmTag, half: bool) {
        self.count(exchange.phase, exchange.outcome);
        let latency = exchange.done.saturating_sub(exchange.due);
        self.record(exchange.endpoint, exchange.due, exchange.phase, arm, exchange.outcome, latency, half);
    }

    #[expect(clippy::too_many_arguments, reason = "one measurement has this many sides, and a struct for one call would hide them")]
    fn record(
        &mut self,
        endpoint: &str,
        due: Duration,
        phase: Option<Phase>,
        arm: ArmTag,
        outcome: Outcome,
        latency: Duration,
        half: bool,
    ) {
        let Some(phase @ (Phase::Baseline | Phase::Fault | Phase::Recovery)) = phase else { return };
        let second = u32::try_from(due.saturating_sub(self.timeline.recording_from()).as_secs()).unwrap_or(u32::MAX);
        let tag = Tag { endpoint: endpoint.to_owned(), phase, arm, outcome };
        let latency = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latencies.record(second, &tag, latency, half);
    }

    /// Writes the seconds that are surely over to the interval log.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn flush_before(&mut self, offset: Duration) -> io::Result<()> {
        let second = offset.saturating_sub(self.timeline.recording_from()).as_secs();
        let closed = self.latencies.close_before(u32::try_from(second).unwrap_or(u32::MAX));
        for interval in &closed {
            self.log.write(interval)?;
        }
        self.log.flush()
    }

    /// What the baseline breaks: rules, and aims that it surely misses.
    pub fn broken_baseline(&self, plan: &Plan) -> Vec<String> {
        let rules = self.watched.iter().filter(|w| plan.none_broken && w.found.broken > 0);
        let rules = rules.map(|w| format!("`{}` ({})", w.found.id, w.found.rule));
        rules.chain(surely_missed(&self.latencies, Phase::Baseline, &plan.expectations)).collect()
    }

    /// Lets the oracles look back, and hands everything over.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn end(mut self, quiet: &Quiet) -> io::Result<(Latencies, Books, Vec<Found>)> {
        self.flush_before(Duration::MAX)?;
        for watched in &mut self.watched {
            let (breaches, checks) = watched.rule.settled(quiet);
            watched.found.checked += checks;
            keep(&mut watched.found, breaches, &self.timeline);
        }
        Ok((self.latencies, self.books, self.watched.into_iter().map(|w| w.found).collect()))
    }
}

fn keep(found: &mut Found, breaches: Vec<Breach>, timeline: &Timeline) {
    for breach in breaches {
        found.broken += 1;
        let before_the_strike = breach.at < timeline.strike_at();
        found.broken_in_baseline += u64::from(before_the_strike);
        if found.exchanges.len() < MOST_EXCHANGES {
            found.exchanges.push(Shown {
                at_s: breach.at.as_secs_f64() - timeline.recording_from().as_secs_f64(),
                root: breach.root.unwrap_or_default(),
                asked: breach.asked,
                answered: breach.answered,
                expected: breach.expected,
                repeat: breach.repeat,
            });
        }
    }
}
