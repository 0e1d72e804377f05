//! The facts of a run at one moment, for everything that shows it while it goes on: the terminal and
//! the live page only format them. They are read from what the run records anyway, once a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use load::{Glance, Timeline};
use reports::coarse::Coarse;
use reports::latencies::is_failure;
use reports::measurements::{Invariant, RunKind};
use reports::{ArmTag, Label, Phase, Totals};

use super::plan::Plan;
use super::record::{Recorded, Recorder};

/// A snapshot is taken this often, and when a phase begins.
const EVERY: Duration = Duration::from_secs(1);

/// The span of [`Recent`].
pub const RECENT: Duration = Duration::from_secs(10);

/// The rate of what is sent is that of this many readings, ten a second.
const READINGS: usize = 20;

/// What a run is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is in a phase.
    Phase(Phase),
    /// The faults have just been struck; nothing is recorded.
    Arming,
    /// The last answers and what services still do are waited for.
    Settling,
    /// All is measured.
    Ended,
}

impl Moment {
    /// Every moment, in order.
    pub const ALL: [Self; 7] = [
        Self::Phase(Phase::WarmUp),
        Self::Phase(Phase::Baseline),
        Self::Arming,
        Self::Phase(Phase::Fault),
        Self::Phase(Phase::Recovery),
        Self::Settling,
        Self::Ended,
    ];

    /// What a run does by plan at this time since its first arrival.
    pub fn at(timeline: &Timeline, offset: Duration) -> Self {
        match timeline.phase_at(offset) {
            Some(phase) => Self::Phase(phase),
            None if offset < timeline.end() => Self::Arming,
            None => Self::Settling,
        }
    }

    /// Such as `baseline`.
    pub const fn name(self, kind: RunKind) -> &'static str {
        match self {
            Self::Phase(phase) => kind.phase(phase),
            Self::Arming => "arming",
            Self::Settling => "settling",
            Self::Ended => "ended",
        }
    }
}

/// A quantile of latencies, up to 1.6 % above the exact one, in which a failed request is slower than any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// So long, from the time at which the request was due.
    Took(Duration),
    /// So many failed that the quantile is one of them.
    Failed,
}

/// The requests of one arm whose end was recorded in the last [`RECENT`]. On AWS that is as late as
/// the ledgers come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recent {
    /// How many.
    pub requests: u64,
    /// Of these, failed or timed out.
    pub errors: u64,
    /// The median; `None` without a request.
    pub p50: Option<Latency>,
    /// The 99th percentile.
    pub p99: Option<Latency>,
}

/// A rule that is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Such as `B-3`.
    pub id: String,
    /// The rule in a sentence.
    pub rule: String,
    /// How often it was broken so far.
    pub times: u64,
}

/// The facts of one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The name of the experiment.
    pub name: String,
    /// Whether it is an experiment or load alone.
    pub kind: RunKind,
    /// What the run is doing.
    pub moment: Moment,
    /// Since the first arrival of the warm-up.
    pub at: Duration,
    /// From the first arrival to the last, by plan.
    pub length: Duration,
    /// Arrivals a second that are due now; an arrival may send several requests.
    pub due_per_s: f64,
    /// Requests a second that were sent in the last two seconds.
    pub sent_per_s: f64,
    /// Requests sent so far, in any phase.
    pub sent: u64,
    /// Of these, failed or timed out.
    pub failed: u64,
    /// Struck so far, by the ledgers.
    pub struck: u64,
    /// The requests that a fault struck.
    pub struck_arm: Recent,
    /// All others.
    pub other_arms: Recent,
    /// All requests of the recorded phases.
    pub totals: Totals,
    /// How many rules the run has.
    pub rules: usize,
    /// Of these, the broken ones.
    pub broken: Vec<Broken>,
}

impl Snapshot {
    /// The time until the last arrival, by plan.
    pub fn left(&self) -> Duration {
        if self.moment == Moment::Ended { Duration::ZERO } else { self.length.saturating_sub(self.at) }
    }
}

/// What a run knows of itself at any time.
pub(super) struct Now<'a> {
    pub plan: &'a Plan,
    pub moment: Moment,
    pub glance: Glance,
    pub struck: u64,
}

/// The latencies and the errors of one arm, from the begin of the recording to some time.
#[derive(Debug, Clone, Default)]
struct Sum {
    latency: Coarse,
    errors: u64,
}

impl Sum {
    fn of(totals: &Totals, wanted: impl Fn(&Label) -> bool) -> Self {
        Self { latency: totals.latency(&wanted), errors: totals.count(|label| wanted(label) && label.outcome.is_error()) }
    }

    fn since(&self, earlier: &Self) -> Recent {
        let latency = self.latency.since(&earlier.latency);
        let quantile = |q: f64| {
            let us = latency.quantile(q)?;
            Some(if is_failure(us) { Latency::Failed } else { Latency::Took(Duration::from_micros(us)) })
        };
        Recent { requests: latency.total(), errors: self.errors.saturating_sub(earlier.errors), p50: quantile(0.5), p99: quantile(0.99) }
    }
}

/// The sums of the struck arm and of the others at one time.
#[derive(Debug, Default)]
struct Sums {
    at: Duration,
    struck: Sum,
    others: Sum,
}

/// Takes the snapshots of a run.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// When what had been sent, for the rate.
    sent: VecDeque<(Duration, u64)>,
    last: Option<(Duration, Moment)>,
    /// The first is older than [`RECENT`], once that much has been recorded.
    sums: VecDeque<Sums>,
}

impl Sampler {
    /// Notes what was sent; a snapshot when it is time for one. To be called ten times a second.
    pub fn look(&mut self, now: &Now, recorder: &Recorder) -> Option<Arc<Snapshot>> {
        let at = now.glance.offset;
        self.sent.push_back((at, now.glance.sent));
        if self.sent.len() > READINGS {
            self.sent.pop_front();
        }
        if self.last.is_some_and(|(last, moment)| moment == now.moment && at < last + EVERY) {
            return None;
        }
        self.last = Some((at, now.moment));
        Some(self.snapshot(now, recorder.totals(), recorder.found()))
    }

    /// The snapshot of a run that has ended.
    pub fn end(&mut self, now: &Now, recorded: &Recorded) -> Arc<Snapshot> {
        self.snapshot(now, recorded.totals.clone(), recorded.invariants.iter())
    }

    fn snapshot<'a>(&mut self, now: &Now, totals: Totals, found: impl Iterator<Item = &'a Invariant>) -> Arc<Snapshot> {
        let Now { plan, moment, glance, struck } = *now;
        let at = glance.offset;
        let [struck_arm, other_arms] = self.recent(at, &totals);
        let found: Vec<_> = found.collect();
        let broken = found.iter().filter(|found| found.broken > 0);
        Arc::new(Snapshot {
            name: plan.name.clone(),
            kind: plan.kind,
            moment,
            at,
            length: plan.timeline.end(),
            due_per_s: if matches!(moment, Moment::Settling | Moment::Ended) { 0.0 } else { plan.load.arrivals_at(at) },
            sent_per_s: self.sent_per_s(),
            sent: glance.sent,
            failed: glance.failed,
            struck,
            struck_arm,
            other_arms,
            rules: found.len(),
            broken: broken.map(|found| Broken { id: found.id.clone(), rule: found.rule.clone(), times: found.broken }).collect(),
            totals,
        })
    }

    fn sent_per_s(&self) -> f64 {
        match (self.sent.front(), self.sent.back()) {
            (Some((from, a)), Some((to, b))) if to > from => b.saturating_sub(*a) as f64 / (*to - *from).as_secs_f64(),
            _ => 0.0,
        }
    }

    /// The struck arm and the others.
    fn recent(&mut self, at: Duration, totals: &Totals) -> [Recent; 2] {
        let is_struck = |label: &Label| label.arm == ArmTag::Treatment;
        let sums = Sums { at, struck: Sum::of(totals, is_struck), others: Sum::of(totals, |label| !is_struck(label)) };
        while self.sums.get(1).is_some_and(|second| second.at + RECENT <= at) {
            self.sums.pop_front();
        }
        let none = Sums::default();
        let earlier = self.sums.front().unwrap_or(&none);
        let recent = [sums.struck.since(&earlier.struck), sums.others.since(&earlier.others)];
        self.sums.push_back(sums);
        recent
    }
}

#[cfg(test)]
mod tests {
    use reports::{Latencies, Outcome, Rolls, Tag};

    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn totals(latencies: &Latencies) -> Totals {
        Totals::default().with_open(latencies)
    }

    fn record(latencies: &mut Latencies, second: u32, struck: bool, outcome: Outcome, ms: u64) {
        let rolls = if struck { Rolls::one(0, true) } else { Rolls::NONE };
        let tag = Tag { endpoint: "shop GET /".into(), phase: Phase::Fault, rolls, cold: false, outcome };
        latencies.record(second, &tag, ms * 1_000, false);
    }

    #[test]
    fn an_arm_has_what_ended_in_the_last_ten_seconds_however_long_ago_it_was_due() {
        let (mut sampler, mut latencies) = (Sampler::default(), Latencies::default());
        assert_eq!(sampler.recent(s(0), &totals(&latencies)), [Recent::default(); 2]);
        for second in 1..=20 {
            record(&mut latencies, second, false, Outcome::Answered, 1);
            if second == 20 {
                record(&mut latencies, 2, true, Outcome::Answered, 18_000);
            }
            let [struck, others] = sampler.recent(s(second.into()), &totals(&latencies));
            assert_eq!((struck.requests, others.requests), (u64::from(second == 20), u64::from(second.min(10))), "{second}");
        }
        let [struck, others] = sampler.recent(s(21), &totals(&latencies));
        let slow = struck.p50.unwrap();
        assert!(matches!(slow, Latency::Took(took) if took >= s(18) && took < s(19)), "{slow:?}");
        assert_eq!((others.requests, others.p99), (9, Some(Latency::Took(Duration::from_micros(1_007)))));
        assert_eq!(sampler.recent(s(60), &totals(&latencies)), [Recent::default(); 2], "nothing ended for 39 s");
    }

    #[test]
    fn a_failed_request_is_an_error_and_slower_than_any_other() {
        let (mut sampler, mut latencies) = (Sampler::default(), Latencies::default());
        sampler.recent(s(0), &totals(&latencies));
        for outcome in [Outcome::Answered, Outcome::Answered, Outcome::TimedOut, Outcome::Cancelled] {
            record(&mut latencies, 0, true, outcome, 5);
        }
        let [struck, _] = sampler.recent(s(1), &totals(&latencies));
        assert_eq!((struck.requests, struck.errors, struck.p99), (3, 1, Some(Latency::Failed)));
        assert!(matches!(struck.p50, Some(Latency::Took(_))), "{struck:?}");
    }

    #[test]
    fn a_snapshot_is_taken_once_a_second_and_when_a_phase_begins() {
        let text = include_str!("../../scenarios/experiments/slow-authorizer.toml");
        let plan = crate::check("slow-authorizer", text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::begin(folder.path(), plan.timeline, 0, Vec::new()).unwrap();
        let mut sampler = Sampler::default();
        let mut taken = Vec::new();
        for tenth in 0..60_u32 {
            let offset = Duration::from_millis(100) * tenth;
            let glance = Glance { sent: u64::from(tenth) * 5, offset, ..Glance::default() };
            let now = Now { plan: &plan, moment: Moment::at(&plan.timeline, offset), glance, struck: 0 };
            taken.extend(sampler.look(&now, &recorder).map(|snapshot| (tenth, snapshot)));
        }
        // The warm-up takes 3 s.
        assert_eq!(taken.iter().map(|(tenth, _)| *tenth).collect::<Vec<_>>(), [0, 10, 20, 30, 40, 50]);
        let (_, last) = taken.last().unwrap();
        assert!((last.sent_per_s - 50.0).abs() < 1e-6, "{last:?}");
        assert_eq!((last.sent, last.moment.name(last.kind), last.left()), (250, "baseline", plan.timeline.end() - s(5)));
        assert_eq!((last.struck_arm, last.broken.len()), (Recent::default(), 0));
    }

    #[test]
    fn every_moment_of_a_timeline_has_its_name() {
        let timeline = Timeline { warm_up: s(1), baseline: s(2), arming: s(1), fault: s(2), recovery: s(1) };
        let names = (0..8).map(|at| Moment::at(&timeline, s(at)).name(RunKind::Experiment));
        let all = ["warm-up", "baseline", "baseline", "arming", "fault", "fault", "recovery", "settling"];
        assert_eq!(names.collect::<Vec<_>>(), all);
        assert_eq!(Moment::at(&timeline, s(1)).name(RunKind::Load), "measured");
    }
}
