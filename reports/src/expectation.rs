//! What an experiment expects of an endpoint.

use faults::{Share, time::Time};
use serde::{Deserialize, Serialize};

/// An aim for one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// The endpoint, as its scenario names it.
    pub of: String,
    /// What it must keep.
    pub bound: Bound,
}

/// An upper limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The median of the warm requests in the fault phase, both arms together, is at most this.
    P50(Time),
    /// The same at the 90th percentile.
    P90(Time),
    /// The same at the 99th percentile.
    P99(Time),
    /// The share of requests that failed or timed out in the fault phase is at most this.
    Errors(Share),
    /// p99 of treatment is at most this many times p99 of control.
    P99Ratio(f64),
    /// After the calm it takes at most this long until every 5 s window keeps the other aims again for the rest of the recovery, 30 s at most.
    Recovery(Time),
}
