//! What was measured, as histograms: one for each second, endpoint, phase, arm and outcome.

use serde::{Deserialize, Serialize};

/// The part of the run in which a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Traffic flows, nothing is recorded.
    WarmUp,
    /// No fault is in force; aims and invariants must hold already.
    Baseline,
    /// The faults are in force.
    Fault,
    /// After the calm.
    Recovery,
}

/// The arm under which a request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmTag {
    /// At least one fault struck on its way.
    Treatment,
    /// Eligible, and left alone by every fault.
    Control,
    /// No fault was about it (another endpoint, a cached decision, no plan in force).
    Untouched,
    /// A new environment stood in its way; counted apart whatever the arm.
    Cold,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered below 500.
    Answered,
    /// Answered with 500 and above, or the connection failed.
    Failed,
    /// No answer within the generator's patience.
    TimedOut,
    /// Still under way when the run ended.
    Cancelled,
}

/// What a histogram is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// Such as `clinic GET /appointment/{id}`. Neither comma nor line break; spaces become `_` in the interval log.
    pub endpoint: String,
    /// When it was due.
    pub phase: Phase,
    /// Its arm.
    pub arm: ArmTag,
    /// How it ended.
    pub outcome: Outcome,
}

/// All histograms of a run.
#[derive(Debug, Default)]
pub struct Latencies {}

impl Latencies {
    /// Counts one request: due `second` seconds after the start of the run, answered `latency_us` microseconds after it was due.
    pub fn record(&mut self, _second: u32, _tag: &Tag, _latency_us: u64, _half: bool) {}
}

/// STUB
#[derive(Debug)]
pub struct IntervalHistogram;
impl Latencies {
    /// STUB
    pub fn close_before(&mut self, _second: u32) -> Vec<IntervalHistogram> { Vec::new() }
}
