//! What was concluded, with everything that the formats need except the histograms: the content of `result.json`.

use serde::{Deserialize, Serialize};

use crate::deployment_row::DeploymentRow;
use crate::dispositions::Dispositions;
use crate::expectation::{AimArm, Expectation};
use crate::intervals::Interval;
use crate::latencies::Phase;
use crate::measurements::{Books, End, Experiment, Generator, Injections, Invariant, PhaseSpan, Platform, Restored};
use crate::reached::Reached;
use crate::rolls::ArmTag;
use crate::verdict::Verdict;

/// The version of the form of `result.json` that this code writes and reads.
pub const VERSION: u32 = 2;

/// A run, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// The verdict.
    pub verdict: Verdict,
    /// Its exit code.
    pub exit_code: u8,
    /// The verdict in one plain sentence.
    pub sentence: String,
    /// Why, one reason an item.
    pub reasons: Vec<String>,
    /// Injections carried out, all faults together.
    pub struck: u64,
    /// Injections that the rolls planned for the invocations that arrived.
    pub planned: u64,
    /// Requests sent; what became of them is in `books`.
    pub sent: u64,
    /// What was asked.
    pub experiment: Experiment,
    /// When each phase began and ended.
    pub phases: Vec<PhaseSpan>,
    /// The wall clock at second 0, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The aims and what became of them.
    pub aims: Vec<Aim>,
    /// What the oracles found.
    pub invariants: Vec<Invariant>,
    /// Each endpoint by phase and arm.
    pub endpoints: Vec<EndpointRow>,
    /// Treatment against control, for each fault.
    pub effects: Vec<EffectRow>,
    /// Control against baseline: whether the faults reach requests that they did not strike.
    pub interference: Vec<Reached>,
    /// What was wrong before any fault.
    pub before_any_fault: Vec<String>,
    /// The check of the method on itself.
    pub method: MethodCheck,
    /// When each endpoint with an aim was itself again.
    pub recoveries: Vec<Recovered>,
    /// The generator's books.
    pub books: Books,
    /// What became of everything that came in without HTTP.
    #[serde(default)]
    pub dispositions: Vec<Dispositions>,
    /// Deployments of one API side by side; empty where there are not several.
    #[serde(default)]
    pub deployments: Vec<DeploymentRow>,
    /// Where the books do not balance.
    pub discrepancies: Vec<String>,
    /// The ledgers' books.
    pub injections: Vec<InjectionRow>,
    /// The generator's health.
    pub generator: Generator,
    /// Why the generator was too slow; none where it was healthy.
    pub generator_trouble: Option<String>,
    /// The platform's health.
    pub platform: Platform,
    /// Why the platform was the bottleneck; none where it was not.
    pub platform_trouble: Option<String>,
    /// How the run ended.
    pub end: End,
    /// Whether everything is as it was.
    pub restored: Restored,
    /// What no rule can see on this target.
    #[serde(default)]
    pub unchecked: Vec<String>,
    /// Notes for the reader.
    pub notes: Vec<String>,
}

/// One of three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The interval lies within the bound.
    Holds,
    /// The interval lies beyond the bound.
    Broken,
    /// Neither.
    NotShown,
}

impl Answer {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::NotShown => "not shown",
        }
    }
}

/// An aim and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// What was expected.
    pub expectation: Expectation,
    /// Who expects it.
    pub source: Source,
    /// Whose requests were judged.
    pub arm: AimArm,
    /// The same in words, such as `p99 at most 1s`.
    pub asked: String,
    /// What was found, in words.
    pub found: String,
    /// The 95 % interval in words, or why there is none.
    pub interval: String,
    /// The answer.
    pub answer: Answer,
    /// What a reader should know about the answer; empty where it speaks for itself.
    pub why: String,
    /// The chance of such a measurement if the aim is kept.
    pub p_broken: f64,
    /// The same aim in the baseline; none where it had no request, or where the aim compares phases or arms.
    pub baseline: Option<Answer>,
}

/// Who expects something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The experiment's file.
    Experiment,
    /// It holds unless the file says otherwise: see [`crate::implied`].
    Implied,
}

/// One endpoint in one phase and arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointRow {
    /// The endpoint.
    pub endpoint: String,
    /// The phase.
    pub phase: Phase,
    /// The arm.
    pub arm: ArmTag,
    /// Requests that came to an end.
    pub requests: u64,
    /// Of these, failed or timed out.
    pub errors: u64,
    /// 95 % interval of the share of errors.
    pub errors_interval: Option<Interval>,
    /// How many of them a new environment stood in the way of.
    pub cold: u64,
    /// p50, p90 and p99, failures as the slowest.
    pub quantiles: Vec<Quantile>,
    /// The longest that an answer or a failure took, in microseconds.
    pub longest_us: Option<u64>,
    /// 95 % interval of p99 in microseconds; none where there are too few, or where it ends among failures.
    pub p99_interval: Option<Interval>,
}

/// A quantile, marked where there are too few requests for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantile {
    /// Such as `p99`.
    pub at: String,
    /// In microseconds; none where the quantile is a failure.
    pub us: Option<u64>,
    /// How many more requests a 95 % interval of it needs; above 0 the number is not to be relied on.
    pub needs: u64,
}

/// Treatment against control at one quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// The endpoint.
    pub endpoint: String,
    /// The fault whose roll parts the arms.
    pub fault: String,
    /// Such as `p99`.
    pub quantile: String,
    /// Treatment over control; none where there are too few.
    pub effect: Option<Ratio>,
    /// What is missing; empty where nothing is.
    pub missing: String,
}

/// A ratio with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// Treatment over control.
    pub ratio: f64,
    /// Its interval.
    pub interval: Interval,
    /// Treatment in microseconds.
    pub treatment_us: u64,
    /// Control in microseconds.
    pub control_us: u64,
    /// Whether it differs from 1 when all comparisons of the run are counted (Holm, 5 %).
    pub differs: bool,
}

/// The control arm against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodCheck {
    /// Not made, and why.
    NotMade(String),
    /// The halves agree; so many comparisons were made.
    Passed(usize),
    /// They differ, and where.
    Failed(String),
}

/// When an endpoint kept its aims again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// The endpoint.
    pub endpoint: String,
    /// Seconds from the calm; none where it did not within what was watched.
    pub after_s: Option<f64>,
    /// How long was watched.
    pub watched_s: f64,
    /// Windows of 5 s with enough requests.
    pub windows: usize,
    /// What the time after that does not show; empty where it shows that all aims are kept.
    #[serde(default)]
    pub lacks: String,
}

/// One fault's books and the band they must lie in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InjectionRow {
    /// The books.
    pub books: Injections,
    /// The share that was asked.
    pub share: f64,
    /// The exact binomial 99.9 % band for the number struck.
    pub band: (u64, u64),
}

/// Six significant digits: enough for everyone, and JSON brings them back as they were.
pub(crate) fn short(value: f64) -> f64 {
    if value.is_finite() { format!("{value:.5e}").parse().unwrap_or(0.0) } else { 0.0 }
}

pub(crate) fn short_interval(interval: Interval) -> Interval {
    Interval { low: short(interval.low), high: short(interval.high) }
}
