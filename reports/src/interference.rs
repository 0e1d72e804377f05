//! Whether the faults affect requests that they did not strike: compares control with its own
//! baseline. Struck invocations may occupy all environments; then the untouched ones of the same
//! seconds wait too, and the comparison of struck and control looks harmless.

use crate::intervals::{Interval, ONE_SIDE, order_statistic};
use crate::latencies::{Phase, Tag};
use crate::measurements::Measurements;
use crate::misses::{Miss, Misses};
use crate::reached::Reached;
use crate::report::{short, short_interval};
use crate::rolls::ArmTag;
use crate::tables::{served, span};

/// How many times slower than its baseline control may be: the phases are at different times, and a
/// drift of the machine by 30 % is not the effect of a fault.
pub const MARGIN: f64 = 1.5;

/// Differences below this are noise of the machine, in microseconds.
const SMALLEST_US: f64 = 2_000.0;

/// Every endpoint that has a control arm, at the quantiles for which there are enough requests.
pub fn rows(measured: &Measurements) -> Vec<Reached> {
    measured.latencies.endpoints().iter().flat_map(|of| of_endpoint(measured, of)).collect()
}

/// The quantile at which the faults affect the endpoint's control arm most.
pub fn of(measured: &Measurements, endpoint: &str) -> Option<Reached> {
    let reached = of_endpoint(measured, endpoint).into_iter().filter(|row| row.beyond);
    reached.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

fn of_endpoint(measured: &Measurements, of: &str) -> Vec<Reached> {
    let is_control = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Fault && tag.arm() == ArmTag::Control;
    if measured.latencies.count(is_control) == 0 {
        return Vec::new();
    }
    // If no ledger reported the baseline's rehearsal, the whole baseline is compared.
    let would_be = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Baseline && tag.arm() != ArmTag::Untouched;
    let all = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Baseline;
    let told = measured.latencies.count(would_be) > 0;
    let control = served(&measured.latencies, is_control);
    let baseline = if told { served(&measured.latencies, would_be) } else { served(&measured.latencies, all) };
    let (Some(fault), Some(before)) = (span(&measured.phases, Phase::Fault), span(&measured.phases, Phase::Baseline)) else {
        return Vec::new();
    };
    let misses = |span, us, wanted: &dyn Fn(&Tag) -> bool| Misses::of(&measured.latencies, span, Miss::LongerThan(us), wanted);
    let clustering = |misses: Misses| misses.found().map_or(1.0, |found| found.clustering);
    let row = |(name, quantile): (&str, f64)| {
        let (control_us, baseline_us) = (control.quantile(quantile)?, baseline.quantile(quantile)?);
        let of_baseline = clustering(misses(before, baseline_us, if told { &would_be } else { &all }));
        let b = order_statistic(&baseline, quantile, of_baseline)?;
        // If all slow requests are of one moment, only the range is known.
        let of_control = clustering(misses(fault, control_us, &is_control));
        let range = || Some(Interval { low: control.at_rank(1)? as f64, high: control.at_rank(control.total())? as f64 });
        let c = order_statistic(&control, quantile, of_control).or_else(range)?;
        let limit = (b.high * MARGIN).max(b.high + SMALLEST_US);
        Some(Reached {
            endpoint: of.to_owned(),
            quantile: name.to_owned(),
            control_us,
            baseline_us,
            ratio: short(control_us as f64 / baseline_us.max(1) as f64),
            interval: short_interval(Interval { low: c.low / b.high.max(1.0), high: c.high / b.low.max(1.0) }),
            beyond: misses(fault, limit as u64, &is_control).p_above(1.0 - quantile) < ONE_SIDE,
        })
    };
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)].into_iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latencies::Latencies;
    use crate::rolls::Rolls;
    use crate::sample::healthy;

    const OF: &str = "clinic GET /appointment/{id}";

    /// Control requests of the fault phase, from second 15 to 45, are slower by this many
    /// microseconds.
    fn slower(by: impl Fn(u32) -> u64) -> Vec<Reached> {
        let mut measured = healthy();
        let mut slow = Latencies::default();
        measured.latencies.visit(
            |_| true,
            |second, tag, half, pairs| {
                let us = if tag.phase == Phase::Fault && tag.rolls == Rolls::one(0, false) { by(second) } else { 0 };
                pairs.iter().for_each(|(value, n)| (0..*n).for_each(|_| slow.record(second, tag, u64::from(*value) + us, half)));
            },
        );
        measured.latencies = slow;
        of_endpoint(&measured, OF)
    }

    fn beyond(rows: &[Reached]) -> Vec<&str> {
        rows.iter().filter(|row| row.beyond).map(|row| row.quantile.as_str()).collect()
    }

    #[test]
    fn a_control_arm_that_waits_is_beyond_its_baseline_and_one_that_does_not_wait_is_not() {
        assert_eq!(beyond(&slower(|_| 0)), Vec::<&str>::new());
        assert!(beyond(&slower(|_| 100_000)).contains(&"p50"));
    }

    #[test]
    fn a_queue_that_grows_is_found_although_its_seconds_are_correlated() {
        let rows = slower(|second| u64::from(second.saturating_sub(15)) * 50_000);
        assert!(beyond(&rows).contains(&"p50"), "{rows:?}");
    }

    #[test]
    fn one_pause_of_the_machine_is_not_blamed_on_the_faults() {
        let rows = slower(|second| if second == 20 { 200_000 } else { 0 });
        assert_eq!(beyond(&rows), Vec::<&str>::new(), "{rows:?}");
    }
}
