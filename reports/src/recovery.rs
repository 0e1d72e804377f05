//! How long it took, after the calm, until an endpoint kept its aims again. By point estimates of windows; it decides nothing else.

use crate::report::Recovered;
use crate::tables::{ended, is_error, span};
use crate::{ArmTag, Bound, Expectation, Measurements, Phase};

/// The length of a window in seconds.
const WINDOW_S: u32 = 5;
/// A window with fewer requests is passed over.
const FEWEST: u64 = 5;
/// For how long the aims must then be kept.
pub const KEPT_S: f64 = 30.0;

/// The aims of `endpoint` that a window can keep.
fn aims<'a>(expectations: &'a [Expectation], endpoint: &str) -> Vec<&'a Bound> {
    let fits = |bound: &&Bound| matches!(bound, Bound::P50(_) | Bound::P90(_) | Bound::P99(_) | Bound::Errors(_));
    expectations.iter().filter(|e| e.of == endpoint).map(|e| &e.bound).filter(fits).collect()
}

/// When `endpoint` kept its aims again; none where it has no aims or there was no recovery phase.
pub fn of(measured: &Measurements, endpoint: &str) -> Option<Recovered> {
    let recovery = span(&measured.phases, Phase::Recovery)?;
    let aims = aims(&measured.experiment.expectations, endpoint);
    if aims.is_empty() {
        return None;
    }
    let (from, to) = (recovery.from_s.floor().max(0.0) as u32, recovery.to_s.ceil().max(0.0) as u32);
    // A bad second spoils the windows that begin up to 4 s before it; the last of them begins with that second.
    let windows: Vec<(u32, Option<bool>)> =
        (from..=to.saturating_sub(WINDOW_S).max(from)).map(|start| (start, keeps(measured, endpoint, &aims, start))).collect();
    let seen = windows.iter().filter(|(_, kept)| kept.is_some()).count();
    let watched_s = recovery.to_s - recovery.from_s;
    let good_from = |start: u32| {
        let until = f64::from(start) + KEPT_S - f64::from(WINDOW_S);
        windows.iter().filter(|(s, _)| *s >= start && f64::from(*s) <= until).all(|(_, kept)| *kept != Some(false))
    };
    let after_s =
        if seen == 0 { None } else { windows.iter().find(|(start, _)| good_from(*start)).map(|(start, _)| f64::from(start - from)) };
    Some(Recovered { endpoint: endpoint.to_owned(), after_s, watched_s, windows: seen })
}

/// Whether the window that begins at `start` keeps the aims; none where it has too few requests.
fn keeps(measured: &Measurements, endpoint: &str, aims: &[&Bound], start: u32) -> Option<bool> {
    let within = |second: u32| (start..start + WINDOW_S).contains(&second);
    let mut errors = 0;
    measured.latencies.visit(|second, tag, _, pairs| {
        if within(second) && tag.endpoint == endpoint && tag.phase == Phase::Recovery && is_error(tag) {
            errors += pairs.iter().map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
    });
    let counts = |cold: bool| {
        measured.latencies.counts(|second, tag, _| {
            within(second) && tag.endpoint == endpoint && tag.phase == Phase::Recovery && ended(tag) && (cold || tag.arm != ArmTag::Cold)
        })
    };
    let (all, warm) = (counts(true).total(), counts(false));
    if all < FEWEST {
        return None;
    }
    let below =
        |quantile: f64, bound: &faults::time::Time| warm.quantile(quantile).is_none_or(|us| u128::from(us) <= bound.duration().as_micros());
    Some(aims.iter().all(|aim| match aim {
        Bound::P50(bound) => below(0.5, bound),
        Bound::P90(bound) => below(0.9, bound),
        Bound::P99(bound) => below(0.99, bound),
        Bound::Errors(bound) => errors as f64 <= bound.value() * all as f64,
        Bound::P99Ratio(_) | Bound::Recovery(_) => true,
    }))
}
