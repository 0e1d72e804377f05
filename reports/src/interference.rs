//! Whether the faults reach requests that they did not strike: control against its own baseline. Struck invocations may hold all environments,
//! and then the untouched ones of the same seconds wait too, so that struck against control looks harmless.

use serde::{Deserialize, Serialize};

use crate::intervals::{Interval, order_statistic};
use crate::misses::{Miss, Misses};
use crate::report::{short, short_interval};
use crate::tables::{served, span};
use crate::words::time;
use crate::{ArmTag, Measurements, Phase, Tag};

/// Control may be so many times as slow as its baseline: phases follow each other, and a machine that drifts by 30 % is no fault's doing.
pub const MARGIN: f64 = 1.5;

/// Differences below this are a machine's own, in microseconds.
const SMALLEST_US: f64 = 2_000.0;

/// Control against baseline at one quantile of one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// The endpoint.
    pub endpoint: String,
    /// Such as `p90`.
    pub quantile: String,
    /// Control in the fault phase, in microseconds.
    pub control_us: u64,
    /// The requests of the baseline that the faults would have been about, in microseconds.
    pub baseline_us: u64,
    /// Control over baseline.
    pub ratio: f64,
    /// From the ends of the two intervals: wider than 95 %.
    pub interval: Interval,
    /// Whether control has left its baseline by more than [`MARGIN`].
    pub beyond: bool,
}

impl Reached {
    /// In words.
    pub fn words(&self) -> String {
        let (control, baseline) = (time(self.control_us as f64), time(self.baseline_us as f64));
        format!(
            "the faults reach requests of `{}` that they did not strike: {} of control is {:.1} times its baseline ({control} against {baseline})",
            self.endpoint, self.quantile, self.ratio
        )
    }
}

/// Every endpoint that has a control arm, at the quantiles for which there are enough requests.
pub fn rows(measured: &Measurements) -> Vec<Reached> {
    measured.latencies.endpoints().iter().flat_map(|of| of_endpoint(measured, of)).collect()
}

/// Where the faults reach the endpoint's control arm the most.
pub fn of(measured: &Measurements, endpoint: &str) -> Option<Reached> {
    let reached = of_endpoint(measured, endpoint).into_iter().filter(|row| row.beyond);
    reached.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

fn of_endpoint(measured: &Measurements, of: &str) -> Vec<Reached> {
    let is_control = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Fault && tag.arm() == ArmTag::Control;
    if measured.latencies.count(is_control) == 0 {
        return Vec::new();
    }
    // Where the baseline's plan was not told to anybody, all of it has to do.
    let would_be = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Baseline && tag.arm() != ArmTag::Untouched;
    let all = |tag: &Tag| tag.endpoint == of && tag.phase == Phase::Baseline;
    let told = measured.latencies.count(would_be) > 0;
    let control = served(&measured.latencies, is_control);
    let baseline = if told { served(&measured.latencies, would_be) } else { served(&measured.latencies, all) };
    let clustering = |phase, miss, wanted: &dyn Fn(&Tag) -> bool| {
        let misses = span(&measured.phases, phase).map(|span| Misses::of(&measured.latencies, span, miss, wanted));
        misses.and_then(|misses| misses.found()).map_or(1.0, |found| found.clustering)
    };
    let row = |(name, quantile): (&str, f64)| {
        let (control_us, baseline_us) = (control.quantile(quantile)?, baseline.quantile(quantile)?);
        let of_control = clustering(Phase::Fault, Miss::LongerThan(control_us), &is_control);
        let of_baseline = clustering(Phase::Baseline, Miss::LongerThan(baseline_us), if told { &would_be } else { &all });
        let (c, b) = (order_statistic(&control, quantile, of_control)?, order_statistic(&baseline, quantile, of_baseline)?);
        let interval = Interval { low: c.low / b.high.max(1.0), high: c.high / b.low.max(1.0) };
        Some(Reached {
            endpoint: of.to_owned(),
            quantile: name.to_owned(),
            control_us,
            baseline_us,
            ratio: short(control_us as f64 / baseline_us.max(1) as f64),
            interval: short_interval(interval),
            beyond: interval.low > MARGIN && c.low - b.high > SMALLEST_US,
        })
    };
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)].into_iter().filter_map(row).collect()
}
