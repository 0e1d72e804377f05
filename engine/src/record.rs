//! Keeps what was measured: latencies and the interval log, the generator's books, and what the oracles found.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::Duration;

use reports::baseline::Baseline;
use reports::formats::interval_log::IntervalLogWriter;
use reports::measurements::{Books, Exchange as Shown, Invariant as Found, PhaseSpan};
use reports::{Latencies, Outcome, Phase, Tag};
use scenarios::dispositions::Unfinished;
use scenarios::exchange::RecordEnd;
use scenarios::invariants::{Breach, Invariant, Quiet};
use scenarios::{Event, Exchange, Timeline};

use super::join::{Join, Joined, Traced};
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

/// Rules over one book, and what each of them found.
struct Watched {
    invariant: Box<dyn Invariant>,
    found: Vec<Found>,
}

/// Something that was sent, or that came in without a request, and has come to its end. Times are offsets.
struct Measured {
    due: Duration,
    sent: Duration,
    done: Duration,
    phase: Option<Phase>,
    outcome: Outcome,
}

/// What was recorded.
pub struct Recorded {
    /// Latency from the intended time.
    pub latencies: Latencies,
    /// Latency from the actual sending.
    pub service_times: Latencies,
    /// The generator's books.
    pub books: Books,
    /// What the rules found.
    pub invariants: Vec<Found>,
}

/// What is kept of a run.
pub struct Recorder {
    timeline: Timeline,
    latencies: Latencies,
    service_times: Latencies,
    log: IntervalLogWriter<BufWriter<File>>,
    books: Books,
    watched: Vec<Watched>,
}

impl Recorder {
    /// Begins; the interval log is `latency.hlog` in `folder`.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn begin(folder: &Path, timeline: Timeline, started_unix_ms: u64, invariants: Vec<Box<dyn Invariant>>) -> io::Result<Self> {
        let log = BufWriter::new(File::create(folder.join("latency.hlog"))?);
        let none = |(id, rule): (&str, &str)| Found {
            id: id.to_owned(),
            rule: rule.to_owned(),
            checked: 0,
            broken: 0,
            broken_in_baseline: 0,
            exchanges: Vec::new(),
        };
        let watched = |invariant: Box<dyn Invariant>| Watched { found: invariant.rules().into_iter().map(none).collect(), invariant };
        Ok(Self {
            timeline,
            latencies: Latencies::default(),
            service_times: Latencies::default(),
            log: IntervalLogWriter::new(log, started_unix_ms)?,
            books: Books::default(),
            watched: invariants.into_iter().map(watched).collect(),
        })
    }

    /// Takes what happened.
    pub fn see(&mut self, joined: &Joined) {
        let traced = joined.traced;
        let answered = |right: bool| if right { Outcome::Answered } else { Outcome::Failed };
        // What nobody sends has no time of sending of its own.
        let came = |due, done, phase, outcome| Measured { due, sent: due, done, phase, outcome };
        match &joined.event {
            Event::Exchange(exchange) => {
                self.count(exchange.phase, exchange.outcome);
                let Exchange { due, sent, done, phase, outcome, .. } = **exchange;
                self.record(exchange.endpoint, &Measured { due, sent, done, phase, outcome }, &traced);
            }
            Event::Converged { acknowledged, reported, .. } => {
                let phase = self.timeline.phase_at(*acknowledged);
                self.record(CONVERGENCE, &came(*acknowledged, *reported, phase, Outcome::Answered), &Traced::default());
            }
            Event::Mail(mail) => {
                self.count(mail.phase, mail.outcome);
                self.record(HANDED_IN, &came(mail.due, mail.done, mail.phase, mail.outcome), &Traced::default());
            }
            Event::Disposed(disposed) => {
                self.record(DISPOSED, &came(disposed.arrived, disposed.at, disposed.phase, answered(disposed.right)), &traced);
            }
            // The final notice may come before the answer.
            Event::Closed(closed) => {
                let outcome = answered(closed.end == RecordEnd::Completed);
                self.record(CLOSED, &came(closed.accepted, closed.at, closed.phase, outcome), &traced);
            }
            Event::Pruned { expired, at, .. } => {
                self.record(PRUNED, &came(*expired, *at, self.timeline.phase_at(*expired), Outcome::Answered), &Traced::default());
            }
            // The rest is for the oracles alone.
            _ => {}
        }
        for watched in &mut self.watched {
            keep(&mut watched.found, watched.invariant.see(&joined.event), &self.timeline);
        }
    }

    /// Takes what has not come to its end when the run is over, at `at`: for every aim on the way to the end it is too late.
    pub fn unfinished(&mut self, what: &Unfinished, at: Duration, join: &Join) {
        let (endpoint, since, phase, identity) = match what {
            Unfinished::Mail { message, arrived, phase, .. } => (DISPOSED, *arrived, *phase, message.as_deref()),
            Unfinished::Record { root, accepted, phase } => (CLOSED, *accepted, *phase, Some(root.as_str())),
            Unfinished::Expiry { expired, .. } => (PRUNED, *expired, self.timeline.phase_at(*expired), None),
        };
        let traced = identity.map(|identity| join.traced(identity)).unwrap_or_default();
        self.record(endpoint, &Measured { due: since, sent: since, done: at, phase, outcome: Outcome::TimedOut }, &traced);
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

    fn record(&mut self, endpoint: &str, measured: &Measured, traced: &Traced) {
        let Some(phase @ (Phase::Baseline | Phase::Fault | Phase::Recovery)) = measured.phase else { return };
        let second = u32::try_from(measured.due.saturating_sub(self.timeline.recording_from()).as_secs()).unwrap_or(u32::MAX);
        let Traced { rolls, cold, half } = *traced;
        let tag = Tag { endpoint: endpoint.to_owned(), phase, rolls, cold, outcome: measured.outcome };
        let since = |from: Duration| u64::try_from(measured.done.saturating_sub(from).as_micros()).unwrap_or(u64::MAX);
        self.latencies.record(second, &tag, since(measured.due), half);
        self.service_times.record(second, &tag, since(measured.sent), half);
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
        self.service_times.close_before(u32::try_from(second).unwrap_or(u32::MAX));
        self.log.flush()
    }

    /// What the baseline breaks: endpoints that serve nothing, rules, and aims that it surely misses.
    pub fn broken_baseline(&self, plan: &Plan, machine_wait_us: u64) -> Vec<String> {
        let baseline = self.timeline.strike_at().saturating_sub(self.timeline.recording_from());
        let problems = Baseline {
            latencies: &self.latencies,
            service_times: &self.service_times,
            span: PhaseSpan { phase: Phase::Baseline, from_s: 0.0, to_s: baseline.as_secs_f64() },
            expectations: &plan.expectations,
            any_errors: &plan.any_errors,
            machine_wait_us,
        }
        .problems();
        let found = self.watched.iter().flat_map(|watched| &watched.found);
        let broken = found.filter(|found| plan.none_broken && found.broken_in_baseline > 0);
        let rules = broken.map(|found| format!("`{}` ({})", found.id, found.rule));
        problems.dead.into_iter().chain(rules).chain(problems.missed).collect()
    }

    /// Lets the oracles look back, and hands everything over.
    ///
    /// # Errors
    /// Where the log cannot be written.
    pub fn end(mut self, quiet: &Quiet) -> io::Result<Recorded> {
        self.flush_before(Duration::MAX)?;
        for watched in &mut self.watched {
            keep(&mut watched.found, watched.invariant.settled(quiet), &self.timeline);
        }
        let Self { latencies, service_times, books, watched, .. } = self;
        Ok(Recorded { latencies, service_times, books, invariants: watched.into_iter().flat_map(|watched| watched.found).collect() })
    }
}

/// Adds what each rule found this time.
fn keep(all: &mut [Found], news: Vec<(Vec<Breach>, u64)>, timeline: &Timeline) {
    for (found, (breaches, checks)) in all.iter_mut().zip(news) {
        found.checked += checks;
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
}
