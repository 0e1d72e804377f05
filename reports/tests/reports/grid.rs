//! Every kind of aim on every arm with every amount of evidence: no combination may be `held` if
//! the truth misses the aim by a factor of two, and a clear miss is `broken` whenever there are ten
//! requests to show it.

use crate::support::runs::{OF, aim, balance, delay, empty, phases, record, us};
use crate::support::worlds::{BASE_US, normal};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use reports::{AimArm, ArmTag, Bound, Expectation, Measurements, Outcome, Phase, Rolls, Tag, Verdict, implied, judge};

/// Requests a second of [`OF`], both arms together.
const PER_SECOND: u64 = 24;
/// An endpoint that is healthy in all runs, so that every fault has struck and there is always
/// something to judge.
const OTHER: &str = "thermostat shadow";
const RECOVERY_S: u32 = 40;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Aim {
    /// A quantile: twice the allowed share is beyond the bound.
    Share(f64),
    /// A quantile: it is twice the bound.
    Quantile(f64),
    Errors,
    Ratio,
    Recovery,
    ImpliedNotStruck,
    ImpliedDelayed,
}

const AIMS: [Aim; 11] = [
    Aim::Share(0.5),
    Aim::Share(0.9),
    Aim::Share(0.99),
    Aim::Quantile(0.5),
    Aim::Quantile(0.9),
    Aim::Quantile(0.99),
    Aim::Errors,
    Aim::Ratio,
    Aim::Recovery,
    Aim::ImpliedNotStruck,
    Aim::ImpliedDelayed,
];
const ARMS: [Option<AimArm>; 5] = [None, Some(AimArm::Struck), Some(AimArm::Control), Some(AimArm::NotStruck), Some(AimArm::All)];

/// How many requests there are to judge.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Evidence {
    /// This many seconds at the usual rate.
    Seconds(u32),
    /// This many requests of the arm in 40 s.
    Requests(u64),
}

const EVIDENCE: [Evidence; 6] = [
    Evidence::Seconds(40),
    Evidence::Seconds(10),
    Evidence::Seconds(5),
    Evidence::Requests(9),
    Evidence::Requests(3),
    Evidence::Requests(0),
];

/// The truth.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Truth {
    Well,
    /// The aim is missed by a factor of two.
    Twice,
    /// Every request that the aim is about fails.
    AllFail,
    /// Every one of them takes 20 times the allowed time.
    AllSlow,
}

impl Aim {
    /// The arm whose requests miss, also for an aim without an arm of its own.
    const fn arm(self, arm: Option<AimArm>) -> AimArm {
        match (self, arm) {
            (Self::ImpliedNotStruck, _) => AimArm::NotStruck,
            (Self::Ratio | Self::ImpliedDelayed, _) | (_, None) => AimArm::Struck,
            (_, Some(arm)) => arm,
        }
    }

    /// Whether an experiment can choose its arm.
    const fn has_arm(self) -> bool {
        matches!(self, Self::Share(_) | Self::Quantile(_) | Self::Errors)
    }

    fn expectation(self, arm: Option<AimArm>) -> Expectation {
        let limit = us(LIMIT_US);
        let bound = match self {
            Self::Share(0.5) | Self::Quantile(0.5) => Bound::P50(limit),
            Self::Share(0.9) | Self::Quantile(0.9) => Bound::P90(limit),
            Self::Share(_) | Self::Quantile(_) => Bound::P99(limit),
            Self::Errors => Bound::Errors(ERRORS.try_into().unwrap()),
            Self::Ratio => Bound::P99Ratio(2.0),
            Self::Recovery => Bound::Recovery("10s".parse().unwrap()),
            Self::ImpliedNotStruck | Self::ImpliedDelayed => {
                return Expectation { of: OTHER.into(), ..aim(Bound::P50(limit)) };
            }
        };
        Expectation { arm, ..aim(bound) }
    }

    /// Draws one of the requests that the aim is about: how long it takes, and whether it fails.
    fn draw(self, truth: Truth, of: u64, random: &mut Pcg64Mcg) -> (f64, bool) {
        let spread = (0.25 * normal(random)).exp();
        let well = (BASE_US * spread, false);
        let chance: f64 = random.random();
        let z = |quantile: f64| {
            if quantile > 0.95 {
                2.326
            } else if quantile > 0.7 {
                1.282
            } else {
                0.0
            }
        };
        match (truth, self) {
            (Truth::Well, _) | (Truth::Twice, Self::Recovery) => well,
            (Truth::AllFail, _) => (well.0, true),
            (Truth::AllSlow, _) => (20.0 * LIMIT_US * spread.max(1.0), false),
            (Truth::Twice, Self::Share(quantile)) => (if chance < 2.0 * (1.0 - quantile) { 1.2 * LIMIT_US } else { well.0 }, false),
            (Truth::Twice, Self::Quantile(quantile)) => (2.0 * LIMIT_US * spread / (0.25_f64 * z(quantile)).exp(), false),
            (Truth::Twice, Self::Errors) => (well.0, chance < 2.0 * ERRORS),
            (Truth::Twice, Self::Ratio) => (4.0 * well.0, false),
            (Truth::Twice, Self::ImpliedNotStruck | Self::ImpliedDelayed) => (well.0, chance < 2.0 * implied::margin(of)),
        }
    }
}

/// The bound of aims on time: ten times the healthy median.
const LIMIT_US: f64 = 10.0 * BASE_US;
const ERRORS: f64 = 0.05;

/// One combination.
#[derive(Debug, Clone, Copy)]
struct Case {
    aim: Aim,
    arm: Option<AimArm>,
    evidence: Evidence,
    truth: Truth,
}

impl Case {
    fn verdict(self, seed: u64) -> (Verdict, String) {
        let report = judge(&self.run(&mut Pcg64Mcg::seed_from_u64(seed)));
        (report.verdict, report.sentence)
    }

    /// For an aim on recovery the fault phase is long.
    fn lengths(self) -> (u32, u32) {
        match (self.aim, self.evidence) {
            (Aim::Recovery, Evidence::Seconds(seconds)) => (40, seconds),
            (_, Evidence::Seconds(seconds)) => (seconds, RECOVERY_S),
            _ => (40, RECOVERY_S),
        }
    }

    fn run(self, random: &mut Pcg64Mcg) -> Measurements {
        let (fault_s, recovery_s) = self.lengths();
        let spans = phases(&[(Phase::Baseline, 20), (Phase::Fault, fault_s), (Phase::Recovery, recovery_s)]);
        let mut expectations = vec![self.aim.expectation(self.arm)];
        if self.aim == Aim::Recovery {
            expectations.push(aim(Bound::P90(us(LIMIT_US))));
        }
        let mut measured = empty(spans, vec![delay("slow")], expectations);
        measured.experiment.seed = random.random();
        for second in 0..20 {
            (0..4).for_each(|_| well(&mut measured, OF, second, Phase::Baseline, Rolls::one(0, false), random));
        }
        // Too few blocks to compare its arms, which is not tested here and takes time.
        for second in 0..20 + fault_s.min(10) {
            let phase = if second < 20 { Phase::Baseline } else { Phase::Fault };
            for _ in 0..4 {
                let struck = phase == Phase::Fault && random.random();
                well(&mut measured, OTHER, second, phase, Rolls::one(0, struck), random);
            }
        }
        self.fault_phase(&mut measured, fault_s, random);
        self.recovery(&mut measured, 20 + fault_s, recovery_s, random);
        balance(&mut measured);
        measured
    }

    /// The seconds of the requests, in turn or at random.
    fn seconds(evidence: Evidence, length: u32, per_second: u64, random: &mut Pcg64Mcg) -> Vec<u32> {
        match evidence {
            Evidence::Seconds(_) => (0..length).flat_map(|second| (0..per_second).map(move |_| second)).collect(),
            Evidence::Requests(n) => (0..n).map(|_| random.random_range(0..length)).collect(),
        }
    }

    fn fault_phase(self, measured: &mut Measurements, length: u32, random: &mut Pcg64Mcg) {
        let evidence = if self.aim == Aim::Recovery { Evidence::Seconds(length) } else { self.evidence };
        let arm = self.aim.arm(self.arm);
        for struck in [true, false] {
            let rolls = Rolls::one(0, struck);
            let is_judged = match arm {
                AimArm::All => true,
                AimArm::Struck | AimArm::Delayed => struck,
                AimArm::Control | AimArm::NotStruck | AimArm::Untouched => !struck,
            };
            let is_judged = is_judged && self.aim != Aim::Recovery;
            // An aim on all requests gets as many in both arms together as an aim on one arm gets
            // in that arm.
            let evidence = match evidence {
                Evidence::Requests(n) if arm == AimArm::All => Evidence::Requests(if struck { n.div_ceil(2) } else { n / 2 }),
                evidence => evidence,
            };
            let seconds = Self::seconds(evidence, length, PER_SECOND / 2, random);
            for second in &seconds {
                let (us, failed) = self.aim.draw(if is_judged { self.truth } else { Truth::Well }, seconds.len() as u64, random);
                let outcome = if failed { Outcome::Failed } else { Outcome::Answered };
                let tag = Tag { endpoint: OF.into(), phase: Phase::Fault, rolls, cold: false, outcome };
                record(measured, 20 + second, &tag, us, random.random());
            }
        }
    }

    /// Records the recovery phase: bad for 20 s if the aim is 10 s, healthy for other aims.
    fn recovery(self, measured: &mut Measurements, from: u32, length: u32, random: &mut Pcg64Mcg) {
        let evidence = if self.aim == Aim::Recovery { self.evidence } else { Evidence::Seconds(length) };
        for second in Self::seconds(evidence, length, 6, random) {
            let truth = match self.truth {
                _ if self.aim != Aim::Recovery => Truth::Well,
                Truth::Twice if second < 20 => Truth::AllSlow,
                truth => truth,
            };
            let (us, failed) = self.aim.draw(truth, 0, random);
            let outcome = if failed { Outcome::Failed } else { Outcome::Answered };
            let tag = Tag { endpoint: OF.into(), phase: Phase::Recovery, rolls: Rolls::NONE, cold: false, outcome };
            record(measured, from + second, &tag, us, false);
        }
    }
}

/// Records a healthy request.
fn well(measured: &mut Measurements, of: &str, second: u32, phase: Phase, rolls: Rolls, random: &mut Pcg64Mcg) {
    let us = BASE_US * (0.25 * normal(random)).exp();
    record(measured, second, &Tag { endpoint: of.into(), phase, rolls, cold: false, outcome: Outcome::Answered }, us, random.random());
}

fn cases(evidence: &[Evidence], truth: Truth) -> Vec<Case> {
    let arms = |aim: Aim| ARMS.into_iter().filter(move |arm| aim.has_arm() || arm.is_none());
    let all = AIMS.into_iter().flat_map(|aim| arms(aim).map(move |arm| (aim, arm)));
    all.flat_map(|(aim, arm)| evidence.iter().map(move |evidence| Case { aim, arm, evidence: *evidence, truth })).collect()
}

#[test]
fn a_system_that_misses_an_aim_by_a_factor_of_two_is_never_held() {
    // An endpoint without requests has no implied aim.
    let is_asked = |case: &Case| case.evidence != Evidence::Requests(0) || !matches!(case.aim, Aim::ImpliedNotStruck | Aim::ImpliedDelayed);
    let mut wrong = Vec::new();
    for case in cases(&EVIDENCE, Truth::Twice).into_iter().filter(is_asked) {
        let held = (0..20).filter(|seed| case.verdict(*seed).0 == Verdict::Held).count();
        if held > 0 {
            wrong.push(format!("{case:?} is held in {held} of 20 runs"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_system_that_keeps_its_aim_is_held_if_there_are_enough_requests_to_show_it() {
    // Otherwise the test above could pass for another reason.
    let mut wrong = Vec::new();
    for case in cases(&[Evidence::Seconds(40)], Truth::Well) {
        let (verdict, sentence) = case.verdict(1);
        if verdict != Verdict::Held {
            wrong.push(format!("{case:?}: {sentence}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_clear_miss_is_broken_if_ten_requests_show_it() {
    let evidence = [Evidence::Seconds(40), Evidence::Seconds(10), Evidence::Seconds(5), Evidence::Requests(10)];
    let is_plain = |case: &Case| match (case.aim, case.truth, case.evidence) {
        // Slow answers are not errors.
        (Aim::Errors | Aim::ImpliedNotStruck | Aim::ImpliedDelayed, Truth::AllSlow, _) => false,
        // p99 of control is not known before it has 368 requests.
        (Aim::Ratio, Truth::AllSlow, evidence) => evidence == Evidence::Seconds(40),
        // A recovery phase that is shorter than the aim, or in which no 5 s have 5 requests, shows nothing.
        (Aim::Recovery, _, evidence) => !matches!(evidence, Evidence::Seconds(5) | Evidence::Requests(_)),
        _ => true,
    };
    let all = [Truth::AllFail, Truth::AllSlow].into_iter().flat_map(|truth| cases(&evidence, truth));
    let mut wrong = Vec::new();
    for case in all.filter(is_plain) {
        for seed in 0..3 {
            let (verdict, sentence) = case.verdict(seed);
            if verdict != Verdict::Broken {
                wrong.push(format!("{case:?}: {sentence}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn two_requests_that_both_fail_are_never_held() {
    // Too few for any share, but still no reason for a green verdict.
    for aim in [Aim::ImpliedNotStruck, Aim::ImpliedDelayed] {
        let case = Case { aim, arm: None, evidence: Evidence::Requests(2), truth: Truth::AllFail };
        assert_ne!(case.verdict(1).0, Verdict::Held, "{case:?}");
    }
}

#[test]
fn the_rolls_decide_the_arm() {
    let measured =
        Case { aim: Aim::Errors, arm: None, evidence: Evidence::Seconds(40), truth: Truth::AllFail }.run(&mut Pcg64Mcg::seed_from_u64(1));
    let failed = |arm| measured.latencies.count(|tag| tag.endpoint == OF && tag.is_error() && tag.arm() == arm);
    assert_eq!([ArmTag::Treatment, ArmTag::Control, ArmTag::Untouched].map(failed), [480, 0, 0]);
}
