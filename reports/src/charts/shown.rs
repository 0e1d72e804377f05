//! What the charts of an endpoint are drawn from.

use super::time_axis::TimeAxis;
use crate::latencies::{Latencies, Tag};

/// An endpoint, with the histograms of the run.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// All histograms.
    pub latencies: &'a Latencies,
    /// The recorded time.
    pub time: TimeAxis<'a>,
    /// The endpoint.
    pub endpoint: &'a str,
}

impl Shown<'_> {
    /// Whether a histogram is about the endpoint.
    pub fn has(&self, tag: &Tag) -> bool {
        tag.endpoint == self.endpoint
    }
}
