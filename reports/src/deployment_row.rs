//! The report's row about one deployment.

use serde::{Deserialize, Serialize};

use crate::intervals::{Interval, exact_share};
use crate::report::{Answer, short_interval};
use crate::words::{count, percent, time};

/// One deployment, compared with the others of the same API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeploymentRow {
    /// Its name.
    pub name: String,
    /// How many functions it is made of.
    pub functions: u64,
    /// Those of them that a fault struck.
    pub struck: Vec<String>,
    /// Its routes, in the order that all deployments share.
    pub routes: Vec<RouteRow>,
    /// The share of routes that fail under fault: the blast radius.
    pub blast_radius: Counted,
    /// The share of requests that failed in the fault phase.
    pub failed: Counted,
    /// The share of requests, in all recorded phases, that waited for a new environment.
    pub cold: Counted,
}

/// One route of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteRow {
    /// Such as `GET /users/{id}`.
    pub route: String,
    /// The endpoint under which its requests are recorded.
    pub endpoint: String,
    /// The function that serves it.
    pub function: String,
    /// Errors in the baseline.
    pub baseline: Counted,
    /// Errors in the fault phase.
    pub fault: Counted,
    /// Broken if the 95 % interval of the share of errors under fault is entirely above that of the
    /// baseline; holds if it is within the baseline's share and a margin; else not shown.
    pub goes_on: Answer,
    /// p99 of warm requests in the baseline.
    pub p99_baseline: P99,
    /// p99 of warm requests in the fault phase that no fault struck.
    pub p99_not_struck: P99,
}

/// A count out of a total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counted {
    /// The count.
    pub hits: u64,
    /// The total.
    pub of: u64,
    /// The 95 % interval of the share; `None` if the total is 0, or if it is not a sample.
    pub interval: Option<Interval>,
}

impl Counted {
    pub(crate) fn sample(hits: u64, of: u64) -> Self {
        Self { hits, of, interval: exact_share(hits, of).map(short_interval) }
    }

    /// The text for the report.
    pub(crate) fn words(self) -> String {
        if self.of == 0 {
            return "no request".to_owned();
        }
        format!("{} ({} of {})", percent(self.hits as f64 / self.of as f64), count(self.hits), count(self.of))
    }
}

/// A p99, or the number of requests it lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct P99 {
    /// The number of requests.
    pub requests: u64,
    /// In microseconds; `None` if there were too few for an interval.
    pub us: Option<u64>,
    /// Its 95 % interval in microseconds.
    pub interval: Option<Interval>,
    /// How many more requests an interval needs.
    pub needs: u64,
}

impl P99 {
    pub(crate) fn words(self) -> String {
        match self.us {
            Some(us) => time(us as f64),
            None if self.needs > 0 => format!("– (needs {} more)", count(self.needs)),
            None => "failed".to_owned(),
        }
    }
}
