//! The aims on errors that apply unless the experiment says otherwise: requests that no fault
//! struck are still served, and a fault that is not an error itself causes none. Without them, a
//! stack that fails every request would meet all aims that are only about time.

use std::time::Duration;

use faults::time::Time;
use faults::{Fault, Kind, Share};

use crate::aims;
use crate::expectation::{AimArm, Bound, Expectation, Starts};
use crate::intervals::exact_share;
use crate::latencies::{Latencies, Phase, Tag};
use crate::measurements::{Experiment, Measurements, RunKind};
use crate::report::Recovered;
use crate::rolls::FaultSet;

/// How far the share of errors among requests that no error struck may exceed the baseline's, if
/// there are enough requests to show it.
pub const MARGIN: f64 = 0.02;

/// The share that may fail in the baseline, if the experiment has no aim of its own.
pub const BASELINE: f64 = 0.05;

/// The bound for an endpoint's only request: if that fails, nothing is shown.
pub const ONLY: f64 = 0.999;

/// The aims of an experiment, with the requests that show which of them a fault is about.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The experiment's aims.
    pub expectations: &'a [Expectation],
    /// Endpoints whose errors it accepts.
    pub any_errors: &'a [String],
    /// Its faults.
    pub faults: &'a [Fault],
    /// Latency from the intended time.
    pub latencies: &'a Latencies,
}

impl<'a> Asked<'a> {
    /// For a run.
    pub fn of(measured: &'a Measurements) -> Self {
        let Experiment { expectations, any_errors, faults, .. } = &measured.experiment;
        Self { expectations, any_errors, faults, latencies: &measured.latencies }
    }
}

/// The faults of an experiment that are errors themselves.
pub fn errors(faults: &[Fault]) -> FaultSet {
    let mut set = FaultSet::default();
    let is_error = |kind: &Kind| !kind.only_takes_time();
    faults.iter().enumerate().filter(|(_, fault)| is_error(&fault.kind)).for_each(|(index, _)| set.insert(index));
    set
}

/// The implied aims of a run, in the order of the endpoints.
pub fn aims(measured: &Measurements, recoveries: &[Recovered]) -> Vec<Expectation> {
    let endpoints = measured.latencies.endpoints();
    let errors = endpoints.iter().flat_map(|of| of_endpoint(measured, of));
    errors.chain(recoveries.iter().filter_map(|recovered| recovery(measured, recovered))).collect()
}

/// An endpoint must meet its aims again when the run ends, unless the experiment sets a time for
/// it, or the recovery phase is shorter than a second. Of fewer requests than it takes to see that,
/// one must be served.
fn recovery(measured: &Measurements, recovered: &Recovered) -> Option<Expectation> {
    let of = &recovered.endpoint;
    let has_own = measured.experiment.expectations.iter().any(|aim| aim.of == *of && matches!(aim.bound, Bound::Recovery(_)));
    let limit = Time::from(Duration::from_secs(recovered.watched_s as u64));
    let is_watched = !has_own && !limit.duration().is_zero();
    let in_recovery = |tag: &Tag| tag.phase == Phase::Recovery && tag.endpoint == *of && tag.ended();
    let all_fail = || measured.latencies.count(in_recovery) > 0 && measured.latencies.count(|tag| in_recovery(tag) && !tag.is_error()) == 0;
    (is_watched && (recovered.windows > 0 || all_fail())).then(|| Expectation {
        of: of.clone(),
        bound: Bound::Recovery(limit),
        arm: None,
        starts: Starts::All,
    })
}

/// The requests of an endpoint whose errors the experiment neither bounds nor accepts: an aim on
/// one arm does not cover another, and an aim on warm requests does not cover cold ones. `phase`
/// shows which requests are struck.
pub fn rest(of: &str, asked: &Asked<'_>, phase: Phase) -> Vec<(AimArm, Starts)> {
    if asked.any_errors.iter().any(|free| free == of) {
        return Vec::new();
    }
    let own = asked.expectations.iter().filter(|aim| aim.of == of && matches!(aim.bound, Bound::Errors(_)));
    let own: Vec<_> = own.map(|aim| (aims::arm_of(aim, asked.faults, asked.latencies, phase), aim.starts)).collect();
    let left_by_aims_on = |arms: &[AimArm]| {
        let mut judged = own.iter().filter(|(arm, _)| arms.contains(arm)).peekable();
        let left = if judged.peek().is_some() { Starts::Cold } else { Starts::All };
        (!judged.any(|(_, starts)| *starts == Starts::All)).then_some(left)
    };
    let untouched = left_by_aims_on(&[AimArm::All, AimArm::NotStruck]);
    let control = left_by_aims_on(&[AimArm::All, AimArm::NotStruck, AimArm::Control]);
    let delayed = (AimArm::Delayed, left_by_aims_on(&[AimArm::All, AimArm::Struck]));
    let arms = if untouched == control {
        vec![(AimArm::NotStruck, untouched), delayed]
    } else {
        vec![(AimArm::Untouched, untouched), (AimArm::Control, control), delayed]
    };
    arms.into_iter().filter_map(|(arm, starts)| Some((arm, starts?))).collect()
}

/// The requests of which the experiment does not say how many may fail without a fault, if there
/// are such. Before the strike and after the calm, no request is struck.
pub fn without_faults(of: &str, asked: &Asked<'_>, phase: Phase) -> Option<Starts> {
    let left: Vec<_> = rest(of, asked, phase).into_iter().filter(|(arm, _)| *arm != AimArm::Delayed).map(|(_, starts)| starts).collect();
    if left.contains(&Starts::All) { Some(Starts::All) } else { left.first().copied() }
}

/// The share of `requests` of the endpoint that may fail without a fault; `None` for less than two.
/// Of few requests many may have failed in the baseline: that allows no more than it may.
pub fn bound(measured: &Measurements, of: &str, requests: u64) -> Option<f64> {
    // Load alone has nothing to compare itself with.
    let has_baseline = measured.experiment.kind == RunKind::Experiment;
    let in_baseline = |tag: &Tag| has_baseline && tag.phase == Phase::Baseline && tag.endpoint == of && tag.ended();
    let (all, failed) = (measured.latencies.count(in_baseline), measured.latencies.count(|tag| in_baseline(tag) && tag.is_error()));
    let share = (failed as f64 / all.max(1) as f64).min(BASELINE);
    let bound = share + (1.0 - share) * margin(requests);
    (bound < 1.0).then_some(bound)
}

/// The share of this many requests that may fail in addition to the baseline's share. For few
/// requests it is larger, up to the upper end of the 95 % interval of one failure: a single failure
/// decides nothing, but if all fail, even of only two, the aim does not hold.
pub fn margin(requests: u64) -> f64 {
    MARGIN.max(exact_share(1, requests).map_or(1.0, |one| one.high))
}

fn of_endpoint(measured: &Measurements, of: &str) -> Vec<Expectation> {
    let errors = errors(&measured.experiment.faults);
    let judged = measured.judged();
    let counts = |tag: &Tag| tag.phase == judged && tag.endpoint == of && tag.ended();
    let is_only = measured.latencies.count(counts) == 1;
    let aim = |(arm, starts): (AimArm, Starts)| {
        let requests = measured.latencies.count(|tag| counts(tag) && arm.has(tag, errors) && starts.has(tag.cold));
        let only = (is_only && requests == 1).then_some(ONLY);
        let share = Share::try_from(bound(measured, of, requests).or(only)?).ok()?;
        // Without faults all requests are alike.
        let arm = if measured.experiment.kind == RunKind::Load { AimArm::All } else { arm };
        Some(Expectation { of: of.to_owned(), bound: Bound::Errors(share), arm: Some(arm), starts })
    };
    rest(of, &Asked::of(measured), judged).into_iter().filter_map(aim).collect()
}
