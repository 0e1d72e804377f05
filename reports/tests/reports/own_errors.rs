//! An aim on errors that the experiment sets for one arm, or for warm requests, does not cover the
//! other requests: the implied aim still judges their errors.

use crate::support::runs::{OF, aim, balance, delay, empty, phases, record, tag};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reports::{AimArm, ArmTag, Bound, Expectation, Measurements, Outcome, Phase, Report, Rolls, Starts, Tag, Verdict, judge};

/// The arms as a user sets them; `None` is the default, which is the struck arm here.
const OWN: [Option<AimArm>; 5] = [None, Some(AimArm::Struck), Some(AimArm::Control), Some(AimArm::NotStruck), Some(AimArm::All)];
const ARMS: [ArmTag; 3] = [ArmTag::Treatment, ArmTag::Control, ArmTag::Untouched];

/// A run with one aim on errors, in which each arm has a third of the fault phase's requests, and
/// an eighth of all requests is cold. `fails` decides by tag and number which requests fail.
fn run(errors: f64, arm: Option<AimArm>, fails: impl Fn(&Tag, u32) -> bool) -> Report {
    run_of(errors, arm, Starts::All, fails)
}

fn run_of(errors: f64, arm: Option<AimArm>, starts: Starts, fails: impl Fn(&Tag, u32) -> bool) -> Report {
    let spans = phases(&[(Phase::Baseline, 20), (Phase::Fault, 40), (Phase::Recovery, 40)]);
    let expectation = Expectation { arm, starts, ..aim(Bound::Errors(errors.try_into().unwrap())) };
    let mut measured: Measurements = empty(spans, vec![delay("slow")], vec![expectation]);
    let mut random = Pcg64Mcg::seed_from_u64(11);
    for second in 0..100 {
        for n in 0..12 {
            let (phase, rolls) = match (second, n % 3) {
                (..20, 0) => (Phase::Baseline, Rolls::NONE),
                (..20, _) => (Phase::Baseline, Rolls::one(0, false)),
                (60.., _) => (Phase::Recovery, Rolls::NONE),
                (_, 0) => (Phase::Fault, Rolls::NONE),
                (_, third) => (Phase::Fault, Rolls::one(0, third == 1)),
            };
            let tag = Tag { cold: n >= 9 && second % 2 == 0, ..tag(phase, rolls) };
            let outcome = if fails(&tag, second * 4 + n / 3) { Outcome::Failed } else { Outcome::Answered };
            record(&mut measured, second, &Tag { outcome, ..tag }, random.random_range(15e3..25e3), random.random());
        }
    }
    balance(&mut measured);
    judge(&measured)
}

#[test]
fn failures_under_fault_are_found_in_any_arm_whichever_arm_the_experiment_bounds() {
    for own in OWN {
        let well = run(0.05, own, |_, _| false);
        assert_eq!(well.verdict, Verdict::Held, "{own:?}: {:#?}", well.reasons);
        for who in ARMS {
            // All of them fail, or every fourth.
            for one_of in [1, 4] {
                let report = run(0.05, own, |tag, n| tag.phase == Phase::Fault && tag.arm() == who && n % one_of == 0);
                assert_eq!(report.verdict, Verdict::Broken, "aim on {own:?}, 1 of {one_of} of {who:?} fails: {}", report.sentence);
            }
        }
    }
}

#[test]
fn a_bound_of_the_experiment_replaces_the_implied_one_only_for_its_own_arm() {
    for (own, who) in [
        (None, ArmTag::Treatment),
        (Some(AimArm::Struck), ArmTag::Treatment),
        (Some(AimArm::Control), ArmTag::Control),
        (Some(AimArm::NotStruck), ArmTag::Control),
        (Some(AimArm::NotStruck), ArmTag::Untouched),
        (Some(AimArm::All), ArmTag::Untouched),
    ] {
        let report = run(0.5, own, |tag, n| tag.phase == Phase::Fault && tag.arm() == who && n % 4 == 0);
        assert_eq!(report.verdict, Verdict::Held, "aim on {own:?}, a quarter of {who:?} fails: {:#?}", report.reasons);
    }
}

#[test]
fn errors_allowed_for_struck_requests_are_not_allowed_without_a_fault() {
    let third_fails = |own, phase| run(0.6, own, |tag, n| tag.phase == phase && n % 3 == 0);
    for own in [None, Some(AimArm::Struck)] {
        // Nothing is struck in the baseline.
        let before = third_fails(own, Phase::Baseline).before_any_fault;
        assert_eq!(before, [format!("`{OF}` fails more than 5 % of its requests")], "{own:?}");
        let after = third_fails(own, Phase::Recovery);
        let says = after.sentence.contains("should keep recovery within");
        assert!(after.verdict == Verdict::Broken && says, "{own:?}: {}", after.sentence);
    }
    for own in [AimArm::NotStruck, AimArm::All] {
        for phase in [Phase::Baseline, Phase::Recovery] {
            let report = third_fails(Some(own), phase);
            assert!(report.verdict == Verdict::Held && report.before_any_fault.is_empty(), "{own:?}, {phase:?}: {}", report.sentence);
        }
    }
}

#[test]
fn failures_of_cold_requests_are_found_beside_a_bound_on_warm_ones() {
    // Regression: the bound on warm requests took the place of the implied one, and the verdict was held.
    for own in OWN {
        let well = run_of(0.05, own, Starts::Warm, |_, _| false);
        assert_eq!(well.verdict, Verdict::Held, "{own:?}: {:#?}", well.reasons);
        for who in ARMS {
            let report = run_of(0.05, own, Starts::Warm, |tag, _| tag.phase == Phase::Fault && tag.cold && tag.arm() == who);
            assert_eq!(report.verdict, Verdict::Broken, "aim on warm {own:?}, all cold of {who:?} fail: {}", report.sentence);
        }
    }
}

#[test]
fn a_bound_on_warm_requests_replaces_the_implied_one_for_them_alone() {
    for (own, who) in [
        (None, ArmTag::Treatment),
        (Some(AimArm::Control), ArmTag::Control),
        (Some(AimArm::NotStruck), ArmTag::Untouched),
        (Some(AimArm::All), ArmTag::Control),
    ] {
        let fails =
            |cold| move |tag: &Tag, n: u32| tag.phase == Phase::Fault && tag.arm() == who && tag.cold == cold && n.is_multiple_of(4);
        let warm = run_of(0.5, own, Starts::Warm, fails(false));
        assert_eq!(warm.verdict, Verdict::Held, "aim on warm {own:?}, a quarter of them fails: {:#?}", warm.reasons);
        let all_cold = |tag: &Tag, _| tag.phase == Phase::Fault && tag.arm() == who && tag.cold;
        let reasons = run_of(0.5, own, Starts::Warm, all_cold).reasons.join("; ");
        assert!(reasons.contains(", cold requests, implied)") || own.is_none_or(|own| own == AimArm::Struck), "{own:?}: {reasons}");
    }
}

#[test]
fn cold_requests_must_not_fail_before_or_after_the_faults_either() {
    let cold_fails = |starts, phase| run_of(0.6, Some(AimArm::All), starts, |tag, _| tag.phase == phase && tag.cold);
    let before = cold_fails(Starts::Warm, Phase::Baseline);
    assert_eq!(before.before_any_fault, [format!("`{OF}` fails more than 5 % of its cold requests")]);
    assert_eq!(before.verdict, Verdict::Broken, "{}", before.sentence);
    let after = cold_fails(Starts::Warm, Phase::Recovery);
    assert!(after.verdict == Verdict::Broken && after.sentence.contains("should keep recovery within"), "{}", after.sentence);
    for phase in [Phase::Baseline, Phase::Recovery] {
        let report = cold_fails(Starts::All, phase);
        assert!(report.verdict == Verdict::Held && report.before_any_fault.is_empty(), "{phase:?}: {}", report.sentence);
    }
}

#[test]
fn one_failure_of_few_cold_requests_breaks_nothing_and_a_failure_of_all_does() {
    // At most as many cold requests as `most` are recorded as such.
    for (most, fail, verdict) in
        [(0, 0, Verdict::Held), (1, 1, Verdict::Held), (4, 1, Verdict::NotShown), (4, 0, Verdict::Held), (8, 8, Verdict::Broken)]
    {
        let seen = std::cell::Cell::new(0);
        let report = run_cold(
            |tag| {
                tag.phase == Phase::Fault && tag.arm() == ArmTag::Control && seen.get() < most && {
                    seen.set(seen.get() + 1);
                    true
                }
            },
            |cold| cold < fail,
        );
        assert_eq!(report.verdict, verdict, "{fail} of {most} cold requests fail: {:#?}", report.reasons);
    }
}

/// A run with an aim on the errors of all warm requests; `is_cold` decides which are cold, and
/// `fails` by their number which of those fail.
fn run_cold(is_cold: impl Fn(&Tag) -> bool, fails: impl Fn(u32) -> bool) -> Report {
    let spans = phases(&[(Phase::Baseline, 20), (Phase::Fault, 40), (Phase::Recovery, 20)]);
    let expectation = Expectation { arm: Some(AimArm::All), starts: Starts::Warm, ..aim(Bound::Errors(0.05.try_into().unwrap())) };
    let mut measured: Measurements = empty(spans, vec![delay("slow")], vec![expectation]);
    let mut number = 0;
    for second in 0..80 {
        for n in 0..12 {
            let (phase, rolls) = match second {
                ..20 => (Phase::Baseline, Rolls::one(0, false)),
                60.. => (Phase::Recovery, Rolls::NONE),
                _ => (Phase::Fault, Rolls::one(0, n % 2 == 0)),
            };
            let tag = tag(phase, rolls);
            let cold = second % 5 == 0 && is_cold(&tag);
            let outcome = if cold && fails(number) { Outcome::Failed } else { Outcome::Answered };
            number += u32::from(cold);
            record(&mut measured, second, &Tag { outcome, cold, ..tag }, 20_000.0 + f64::from(n), n % 4 == 1);
        }
    }
    balance(&mut measured);
    judge(&measured)
}
