//! Records measurements: latencies and the interval log, the generator's counts, and what the
//! oracles found.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::time::Duration;

use load::Timeline;
use reports::baseline::Baseline;
use reports::formats::interval_log::IntervalLogWriter;
use reports::implied::Asked;
use reports::machine::Machine;
use reports::measurements::{Books, Exchange as Shown, Invariant as Found, PhaseSpan};
use reports::{Dispositions, Latencies, Outcome, Phase, Tag, Totals};
use scenarios::invariants::{Ended, Found as News, Invariant, Quiet};
use scenarios::{Event, Exchange};

use super::join::{Join, Joined, Traced};
use super::plan::Plan;
use super::story::{Broken, Request, Story};

/// The endpoint under which a device's convergence is recorded.
const CONVERGENCE: &str = "thermostat desired -> reported";

/// The endpoint under which the submission of a mail is recorded.
const HANDED_IN: &str = "mail SMTP";

/// A report shows at most this many exchanges for each rule.
const MOST_EXCHANGES: usize = 5;

/// Rules over one stream of events, and what each of them found.
struct Watched {
    invariant: Box<dyn Invariant>,
    found: Vec<Found>,
}

/// Something that was sent, or that arrived without a request, and has completed. Times are
/// offsets.
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
    /// Latency from the actual time of sending.
    pub service_times: Latencies,
    /// The generator's counts.
    pub books: Books,
    /// What the rules found.
    pub invariants: Vec<Found>,
    /// The outcomes of everything; one table for each kind of thing that occurred.
    pub dispositions: Vec<Dispositions>,
    /// Each request, if the recorder tells.
    pub story: Option<Story>,
    /// The sums of the latencies.
    pub totals: Totals,
}

/// Records a run.
pub struct Recorder {
    timeline: Timeline,
    latencies: Latencies,
    service_times: Latencies,
    log: IntervalLogWriter<BufWriter<File>>,
    books: Books,
    watched: Vec<Watched>,
    story: Option<Story>,
    totals: Totals,
}

impl Recorder {
    /// Starts recording; the interval log is `latency.hlog` in `folder`.
    ///
    /// # Errors
    /// If the log cannot be written.
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
            story: None,
            totals: Totals::default(),
        })
    }

    /// The same, which also tells each request and each breach.
    #[must_use]
    pub fn telling(self, tells: bool) -> Self {
        Self { story: tells.then(Story::default), ..self }
    }

    /// Records an event.
    pub fn see(&mut self, joined: &Joined, join: &Join) {
        match &joined.event {
            Event::Exchange(exchange) => {
                self.story.iter_mut().for_each(|story| story.requests.push(Request::from(&**exchange)));
                self.count(exchange.phase, exchange.outcome);
                let Exchange { due, sent, done, phase, outcome, .. } = **exchange;
                self.record(exchange.endpoint, &Measured { due, sent, done, phase, outcome }, &joined.traced);
                if let Some((endpoint, began)) = exchange.began {
                    self.record(endpoint, &Measured { due, sent, done: began, phase, outcome }, &joined.traced);
                }
            }
            Event::Converged { acknowledged, reported, .. } => {
                let phase = self.timeline.phase_at(*acknowledged);
                self.record(CONVERGENCE, &came(*acknowledged, *reported, phase, Outcome::Answered), &Traced::default());
            }
            Event::Mail(mail) => {
                self.count(mail.phase, mail.outcome);
                self.record(HANDED_IN, &came(mail.due, mail.done, mail.phase, mail.outcome), &Traced::default());
            }
            Event::Settled { endpoint, since, at, outcome } => {
                let phase = self.timeline.phase_at(*since);
                self.record(endpoint, &came(*since, *at, phase, *outcome), &Traced::default());
            }
            // The rest is only for the oracles.
            _ => {}
        }
        let mut ends = Vec::new();
        for watched in &mut self.watched {
            let (news, ended) = watched.invariant.see(&joined.event);
            keep(&mut watched.found, news, &self.timeline, self.story.as_mut());
            ends.extend(ended);
        }
        ends.iter().for_each(|ended| self.ended(ended, joined.event.at(), join));
    }

    /// The sums of all latencies so far.
    pub fn totals(&self) -> Totals {
        self.totals.with_open(&self.latencies)
    }

    /// What each rule found so far.
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.watched.iter().flat_map(|watched| &watched.found)
    }

    /// How many things have not completed and may still do so.
    pub fn under_way(&self) -> usize {
        self.watched.iter().map(|watched| watched.invariant.under_way()).sum()
    }

    /// Records what completed. What has not completed when the run ends, at `over`, counts as too
    /// late for every aim.
    fn ended(&mut self, ended: &Ended, over: Duration, join: &Join) {
        let (at, outcome) = ended.end.unwrap_or((over, Outcome::TimedOut));
        let traced = ended.identity.as_deref().map(|identity| join.traced(identity)).unwrap_or_default();
        self.record(ended.endpoint, &came(ended.since, at, self.timeline.phase_at(ended.due), outcome), &traced);
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

    /// Writes the seconds that are certainly complete to the interval log.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn flush_before(&mut self, offset: Duration) -> io::Result<()> {
        let second = offset.saturating_sub(self.timeline.recording_from()).as_secs();
        let closed = self.latencies.close_before(u32::try_from(second).unwrap_or(u32::MAX));
        for interval in &closed {
            self.log.write(interval)?;
            self.totals.close(interval);
        }
        self.service_times.close_before(u32::try_from(second).unwrap_or(u32::MAX));
        self.log.flush()
    }

    /// What the baseline breaks: endpoints that serve nothing, rules, and aims that it certainly
    /// misses.
    pub fn broken_baseline(&self, plan: &Plan, machine: Machine) -> Vec<String> {
        let baseline = self.timeline.strike_at().saturating_sub(self.timeline.recording_from());
        let problems = Baseline {
            asked: Asked {
                expectations: &plan.expectations,
                any_errors: &plan.any_errors,
                faults: &plan.faults,
                latencies: &self.latencies,
            },
            service_times: &self.service_times,
            span: PhaseSpan { phase: Phase::Baseline, from_s: 0.0, to_s: baseline.as_secs_f64() },
            machine,
        }
        .problems();
        let broken = self.found().filter(|found| plan.none_broken && found.broken_in_baseline > 0);
        let rules = broken.map(|found| format!("`{}` ({})", found.id, found.rule));
        problems.dead.into_iter().chain(rules).chain(problems.missed).collect()
    }

    /// Runs the oracles' final checks, and returns everything.
    ///
    /// # Errors
    /// If the log cannot be written.
    pub fn end(mut self, quiet: &Quiet, join: &Join) -> io::Result<Recorded> {
        let unfinished: Vec<_> = self.watched.iter().flat_map(|watched| watched.invariant.unfinished()).collect();
        unfinished.iter().for_each(|ended| self.ended(ended, quiet.at, join));
        self.flush_before(Duration::MAX)?;
        for watched in &mut self.watched {
            keep(&mut watched.found, watched.invariant.settled(quiet), &self.timeline, self.story.as_mut());
        }
        let tables = self.watched.iter().flat_map(|watched| watched.invariant.tables(&|identity| join.arm(identity)));
        let dispositions = tables.filter(|table| table.taken > 0).collect();
        let Self { latencies, service_times, books, watched, story, totals, .. } = self;
        Ok(Recorded {
            latencies,
            service_times,
            books,
            invariants: watched.into_iter().flat_map(|watched| watched.found).collect(),
            dispositions,
            story,
            totals,
        })
    }
}

/// A measurement of something that is not sent, and so has no separate time of sending.
const fn came(due: Duration, done: Duration, phase: Option<Phase>, outcome: Outcome) -> Measured {
    Measured { due, sent: due, done, phase, outcome }
}

/// Adds what each rule found since the last call.
fn keep(all: &mut [Found], news: Vec<News>, timeline: &Timeline, mut story: Option<&mut Story>) {
    for (found, (breaches, checks)) in all.iter_mut().zip(news) {
        found.checked += checks;
        for breach in breaches {
            if let Some(story) = &mut story {
                story.breaches.push(Broken { rule: found.id.clone(), text: found.rule.clone(), breach: breach.clone() });
            }
            found.broken += 1;
            let before_the_strike = timeline.has_faults() && breach.at < timeline.strike_at();
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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use faults::ledger::{Decided, Entry, OfFault};
    use faults::{Arm, Identity, Start};
    use reports::{ArmTag, read_interval_log};
    use scenarios::exchange::Said;

    use super::*;

    /// 3 s of warm-up, then 20 s of baseline.
    const SLOW: &str = include_str!("../../scenarios/experiments/slow-authorizer.toml");

    const OF: &str = "clinic GET /appointment/{id}";

    /// Work that never ends, due when and begun by what the test says.
    struct Endless(Vec<(Option<String>, Duration)>);

    impl Invariant for Endless {
        fn by_answers_alone(&mut self) -> Vec<&'static str> {
            Vec::new()
        }

        fn rules(&self) -> Vec<(&'static str, &'static str)> {
            Vec::new()
        }

        fn see(&mut self, _: &Event) -> (Vec<News>, Option<Ended>) {
            (Vec::new(), None)
        }

        fn settled(&mut self, _: &Quiet) -> Vec<News> {
            Vec::new()
        }

        fn under_way(&self) -> usize {
            self.0.len()
        }

        fn unfinished(&self) -> Vec<Ended> {
            let ended = |(identity, due): &(Option<String>, Duration)| Ended {
                endpoint: "mail delivery",
                identity: identity.clone(),
                due: *due,
                since: *due + Duration::from_millis(250),
                end: None,
            };
            self.0.iter().map(ended).collect()
        }

        fn tables(&self, _: scenarios::invariants::ArmOf<'_>) -> Vec<Dispositions> {
            Vec::new()
        }
    }

    /// Second, tag and count of everything that was recorded, and the lowest latency in it.
    fn seconds(latencies: &Latencies) -> Vec<(u32, Tag, u64, u32)> {
        let mut all = Vec::new();
        latencies.visit(
            |_| true,
            |second, tag, _, pairs| all.push((second, tag.clone(), pairs.iter().map(|(_, n)| u64::from(*n)).sum(), pairs[0].0)),
        );
        all.sort();
        all
    }

    #[test]
    fn what_has_not_ended_when_the_run_ends_is_recorded_as_too_late_in_the_phase_and_arm_in_which_it_began() {
        let plan = crate::check("slow-authorizer", SLOW).unwrap();
        let mut join = Join::new("run", &plan, Duration::ZERO);
        let root = |n: u64| format!("1-00000000-{n:024x}");
        let arm = |n: u64| plan.faults[0].decide(plan.seed, Identity(&root(n))).arm;
        let find = |wanted: Arm| (0..).find(|n| arm(*n) == wanted).unwrap();
        let (struck, left) = (find(Arm::Treatment), find(Arm::Control));
        for n in [struck, left] {
            let of = OfFault { arm: arm(n), ..OfFault::control(plan.faults[0].name.clone()) };
            let line = Decided {
                run: "run".into(),
                sequence: 2,
                request_id: format!("request-{n}"),
                root: Some(root(n)),
                place: "authorizer".into(),
                start: Start::Warm,
                faults: vec![of],
                control: Vec::new(),
            };
            join.entry(Entry::Decided(line), Instant::now());
        }
        let Timeline { warm_up, arming, .. } = plan.timeline;
        let (baseline, fault) = (plan.timeline.recording_from(), plan.timeline.fault_from());
        let at = |from: Duration, s: u64| from + Duration::from_secs(s);
        let work = vec![
            (None, warm_up / 2),
            (None, at(baseline, 4)),
            (None, plan.timeline.strike_at() + arming / 2),
            (Some(root(struck)), at(fault, 5)),
            (Some(root(left)), at(fault, 6)),
        ];
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::begin(folder.path(), plan.timeline, 0, vec![Box::new(Endless(work))]).unwrap();
        assert_eq!(recorder.under_way(), 5);
        let over = at(plan.timeline.end(), 7);
        let recorded = recorder.end(&Quiet { at: over, ..Quiet::default() }, &join).unwrap();
        for latencies in [&recorded.latencies, &recorded.service_times] {
            let found: Vec<_> = seconds(latencies)
                .into_iter()
                .map(|(second, tag, count, us)| {
                    assert_eq!((tag.endpoint.as_str(), tag.outcome, count), ("mail delivery", Outcome::TimedOut, 1));
                    (second, tag.phase, tag.arm(), us)
                })
                .collect();
            let since = |second: u32| {
                let took = over - baseline - Duration::from_secs(second.into()) - Duration::from_millis(250);
                u32::try_from(took.as_micros()).unwrap()
            };
            let fault = u32::try_from((fault - baseline).as_secs()).unwrap();
            let wanted = [
                (4, Phase::Baseline, ArmTag::Untouched),
                (fault + 5, Phase::Fault, ArmTag::Treatment),
                (fault + 6, Phase::Fault, ArmTag::Control),
            ];
            assert_eq!(found.len(), wanted.len(), "{found:?}");
            for ((second, phase, arm, us), wanted) in found.into_iter().zip(wanted) {
                assert_eq!((second, phase, arm), wanted);
                // The resolution of a histogram.
                assert!(us <= since(second) && f64::from(us) > 0.998 * f64::from(since(second)), "{us} for {}", since(second));
            }
        }
        assert_eq!(recorded.books, Books::default(), "no request was sent");
    }

    #[test]
    fn each_of_few_arrivals_is_recorded_in_the_second_in_which_it_was_due_however_late_its_answer_comes() {
        let plan = crate::check("slow-authorizer", SLOW).unwrap();
        let join = Join::new("run", &plan, Duration::ZERO);
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::begin(folder.path(), plan.timeline, 0, Vec::new()).unwrap();
        let from = plan.timeline.recording_from();
        let ms = Duration::from_millis;
        // Due, sent and answered after the start of the recording. Most seconds have no arrival, and
        // the answers do not come in order.
        let arrivals = [(0, 0, 30), (7_900, 7_950, 8_100), (7_999, 8_000, 8_200), (400, 400, 12_400), (13_000, 13_000, 13_010)];
        for (due, sent, done) in arrivals.map(|(due, sent, done)| (from + ms(due), from + ms(sent), from + ms(done))) {
            // All before this is written as if it were complete.
            recorder.flush_before(done).unwrap();
            let exchange = Exchange {
                endpoint: OF,
                root: "1-00000000-000000000000000000000000".into(),
                phase: plan.timeline.phase_at(due),
                due,
                sent,
                done,
                outcome: Outcome::Answered,
                status: Some(200),
                method: "GET",
                path: "/appointment/PI-T123".into(),
                asked: scenarios::Asked::Other,
                said: Said::default(),
                missed: None,
                told: None,
                began: None,
                struck: Vec::new(),
            };
            recorder.see(&Joined { event: Event::Exchange(Box::new(exchange)), traced: Traced::default() }, &join);
        }
        let recorded = recorder.end(&Quiet::default(), &join).unwrap();
        let found = |latencies: &Latencies| seconds(latencies).into_iter().map(|(second, _, n, us)| (second, n, us)).collect::<Vec<_>>();
        assert_eq!(found(&recorded.latencies), [(0, 2, 30_000), (7, 2, 199_936), (13, 1, 10_000)]);
        assert_eq!(found(&recorded.service_times), [(0, 2, 30_000), (7, 2, 149_888), (13, 1, 10_000)]);
        assert_eq!(recorded.books.answered, 5);
        let log = std::fs::read_to_string(folder.path().join("latency.hlog")).unwrap();
        assert_eq!(found(&read_interval_log(&log).unwrap()), found(&recorded.latencies));
    }
}
