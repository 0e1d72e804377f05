//! Failures that come late in the recovery, or in an endpoint with few requests, are as bad as any
//! other.

use crate::support::runs::{OF, aim, balance, delay, empty, phases, record};
use reports::{Bound, Expectation, Measurements, Outcome, Phase, Report, Rolls, Tag, Verdict, judge};

/// An endpoint that is well in every run, so that there is always something to judge.
const OTHER: &str = "thermostat shadow";
const LENGTHS: [(Phase, u32); 3] = [(Phase::Baseline, 20), (Phase::Fault, 40), (Phase::Recovery, 90)];

/// A run in which [`OF`] has a request in each of these seconds of a phase, whose number decides
/// whether it fails.
struct Run {
    expectations: Vec<Expectation>,
    /// Phase, second of the phase, and requests in it.
    requests: Vec<(Phase, u32, u32)>,
}

impl Run {
    /// So many requests a second in every phase.
    fn at(per_second: u32) -> Self {
        Self::of(|_, _| per_second)
    }

    /// One request in so many seconds.
    fn one_in(seconds: u32) -> Self {
        Self::of(|_, second| u32::from(second.is_multiple_of(seconds)))
    }

    fn of(requests: impl Fn(Phase, u32) -> u32) -> Self {
        let each = LENGTHS.iter().flat_map(|(phase, length)| (0..*length).map(|second| (*phase, second)));
        let requests = each.map(|(phase, second)| (phase, second, requests(phase, second))).collect();
        Self { expectations: Vec::new(), requests }
    }

    fn expecting(self, bound: Bound) -> Self {
        Self { expectations: vec![aim(bound)], ..self }
    }

    fn judged(&self, fails: impl Fn(Phase, u32) -> bool) -> Report {
        let mut measured: Measurements = empty(phases(&LENGTHS), vec![delay("slow")], self.expectations.clone());
        let start = |wanted: Phase| LENGTHS.iter().take_while(|(phase, _)| *phase != wanted).map(|(_, length)| length).sum::<u32>();
        let mut take = |of: &str, phase: Phase, second: u32, n: u32, outcome| {
            let rolls = if phase == Phase::Fault { Rolls::one(0, n.is_multiple_of(2)) } else { Rolls::NONE };
            let tag = Tag { endpoint: of.into(), phase, rolls, cold: false, outcome };
            record(&mut measured, start(phase) + second, &tag, 20_000.0 + f64::from(n), n % 4 == 1);
        };
        for (phase, second, requests) in &self.requests {
            (0..10).for_each(|n| take(OTHER, *phase, *second, n, Outcome::Answered));
            let outcome = if fails(*phase, *second) { Outcome::Failed } else { Outcome::Answered };
            // The fault is about the other endpoint only where this one has a single request.
            (0..*requests).for_each(|n| take(OF, *phase, *second, n + 1, outcome));
        }
        balance(&mut measured);
        judge(&measured)
    }
}

#[track_caller]
fn ends(report: &Report, verdict: Verdict, says: &str) {
    assert_eq!(report.verdict, verdict, "{}\n{:#?}", report.sentence, report.reasons);
    let text = format!("{} {}", report.sentence, report.reasons.join("; "));
    assert!(text.contains(says), "`{says}` is not in: {text}");
}

#[test]
fn an_endpoint_that_dies_again_after_it_was_well_for_half_a_minute_has_not_recovered() {
    // Regression: only the first 30 s after the recovery were judged, and the verdict was held.
    for from in [31, 45, 60, 75, 84] {
        let report = Run::at(12).judged(|phase, second| phase == Phase::Recovery && second >= from);
        ends(&report, Verdict::Broken, &format!("`{OF}` should keep recovery within 90s"));
    }
    ends(&Run::at(12).judged(|_, _| false), Verdict::Held, "requests were served");
    // A single second is a pause.
    for at in [33, 60, 88] {
        let report = Run::at(12).judged(|phase, second| phase == Phase::Recovery && second == at);
        assert!(report.verdict != Verdict::Broken, "{at}: {}", report.sentence);
    }
}

#[test]
fn a_relapse_counts_until_it_is_over() {
    let relapse = |phase, second| phase == Phase::Recovery && (40..60).contains(&second);
    ends(&Run::at(12).expecting(Bound::Recovery("10s".parse().unwrap())).judged(relapse), Verdict::Broken, "but showed after ");
    let report = Run::at(12).judged(relapse);
    let after = report.recoveries.iter().find(|one| one.endpoint == OF).unwrap().after_s.unwrap();
    assert!((50.0..=60.0).contains(&after), "{after}");
}

#[test]
fn an_endpoint_with_few_requests_must_recover_too() {
    // Regression: less than 5 requests in each 5 s were not looked at, and the verdict was held.
    for seconds in [2, 4, 10] {
        let dead = Run::one_in(seconds).judged(|phase, _| phase == Phase::Recovery);
        ends(&dead, Verdict::Broken, &format!("`{OF}` should keep recovery within 90s"));
        ends(&Run::one_in(seconds).judged(|_, _| false), Verdict::Held, "requests were served");
    }
    // Three are too few to be sure, and enough to doubt.
    let three = Run::of(|phase, second| if phase == Phase::Recovery { u32::from(second.is_multiple_of(30)) } else { 2 });
    ends(&three.judged(|phase, _| phase == Phase::Recovery), Verdict::NotShown, "the recovery had fewer than 5 requests");
    ends(&three.judged(|phase, second| phase == Phase::Recovery && second > 0), Verdict::Held, "requests were served");
    let one = Run::of(|phase, second| if phase == Phase::Recovery { u32::from(second == 7) } else { 2 });
    ends(&one.judged(|phase, _| phase == Phase::Recovery), Verdict::NotShown, "the recovery had fewer than 5 requests");
    ends(&one.judged(|_, _| false), Verdict::Held, "requests were served");
}

#[test]
fn the_only_request_of_an_endpoint_under_fault_must_be_served() {
    let run = Run::of(|phase, second| if phase == Phase::Fault { u32::from(second == 9) } else { 2 });
    ends(&run.judged(|phase, _| phase == Phase::Fault), Verdict::NotShown, &format!("`{OF}`"));
    ends(&run.judged(|_, _| false), Verdict::Held, "requests were served");
}

#[test]
fn a_failure_in_a_baseline_of_few_requests_allows_no_more_than_a_baseline_may() {
    // Regression: the only request of the baseline failed, so all were allowed to.
    let run = Run::of(|phase, second| match phase {
        Phase::Baseline => u32::from(second == 3),
        _ => u32::from(second.is_multiple_of(2)),
    });
    ends(&run.judged(|phase, _| phase != Phase::Recovery), Verdict::Broken, &format!("`{OF}` should keep errors at most"));
    ends(&run.judged(|phase, _| phase == Phase::Baseline), Verdict::Held, "requests were served");
}
