//! How much the faults affect requests that they do not strike.

use serde::{Deserialize, Serialize};

use crate::intervals::Interval;
use crate::words::time;

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
    /// Whether control is beyond its baseline by more than [`crate::interference::MARGIN`]: it
    /// certainly misses that as an aim.
    pub beyond: bool,
}

impl Reached {
    /// The text for people.
    pub fn words(&self) -> String {
        let (control, baseline) = (time(self.control_us as f64), time(self.baseline_us as f64));
        format!(
            "the faults reach requests of `{}` that they did not strike: {} of control is {:.1} times its baseline ({control} against {baseline})",
            self.endpoint, self.quantile, self.ratio
        )
    }
}
