//! The conclusions, with everything that the formats need except the histograms: the content of
//! `result.json`.

use serde::{Deserialize, Serialize};

use crate::deployment_row::DeploymentRow;
use crate::dispositions::Dispositions;
use crate::expectation::{AimArm, Expectation, Starts};
use crate::intervals::Interval;
use crate::latencies::Phase;
use crate::measurements::{Books, End, Endings, Experiment, Generator, Injections, Invariant, PhaseSpan, Platform, Restored};
use crate::reached::Reached;
use crate::rolls::ArmTag;
use crate::verdict::Verdict;

/// The version of the format of `result.json` that this code writes and reads.
pub const VERSION: u32 = 2;

/// A judged run.
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
    /// The reasons, one an item.
    pub reasons: Vec<String>,
    /// Injections carried out, all faults together.
    pub struck: u64,
    /// Injections that the rolls planned for the invocations that arrived.
    pub planned: u64,
    /// Requests sent; their outcomes are in `books`.
    pub sent: u64,
    /// The experiment.
    pub experiment: Experiment,
    /// When each phase began and ended.
    pub phases: Vec<PhaseSpan>,
    /// The wall clock at second 0, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The aims and their answers.
    pub aims: Vec<Aim>,
    /// What the oracles found.
    pub invariants: Vec<Invariant>,
    /// Each endpoint by phase and arm.
    pub endpoints: Vec<EndpointRow>,
    /// Treatment against control, for each fault.
    pub effects: Vec<EffectRow>,
    /// Control against baseline: whether the faults affect requests that they did not strike.
    pub interference: Vec<Reached>,
    /// The problems before any fault.
    pub before_any_fault: Vec<String>,
    /// The check of the method on itself.
    pub method: MethodCheck,
    /// When each endpoint with an aim had recovered.
    pub recoveries: Vec<Recovered>,
    /// The generator's counts.
    pub books: Books,
    /// How the requests ended.
    #[serde(default)]
    pub endings: Endings,
    /// The outcomes of everything that arrived without HTTP.
    #[serde(default)]
    pub dispositions: Vec<Dispositions>,
    /// Deployments of one API side by side; empty unless there are several.
    #[serde(default)]
    pub deployments: Vec<DeploymentRow>,
    /// Differences between the counts.
    pub discrepancies: Vec<String>,
    /// The counts of the ledgers.
    pub injections: Vec<InjectionRow>,
    /// The generator's health.
    pub generator: Generator,
    /// Why the generator was too slow; `None` if it was healthy.
    pub generator_trouble: Option<String>,
    /// The platform's health.
    pub platform: Platform,
    /// Why the platform was the bottleneck; `None` if it was not.
    pub platform_trouble: Option<String>,
    /// How the run ended.
    pub end: End,
    /// Whether everything is restored.
    pub restored: Restored,
    /// What no rule can check on this target.
    #[serde(default)]
    pub unchecked: Vec<String>,
    /// Notes for the reader.
    pub notes: Vec<String>,
}

/// One of three answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The interval is within the bound.
    Holds,
    /// The interval is beyond the bound.
    Broken,
    /// Neither.
    NotShown,
}

impl Answer {
    /// The text for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::NotShown => "not shown",
        }
    }
}

/// An aim and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aim {
    /// What was expected.
    pub expectation: Expectation,
    /// Where it comes from.
    pub source: Source,
    /// The arm that was judged.
    pub arm: AimArm,
    /// The aim in words, such as `p99 at most 1s`.
    pub asked: String,
    /// What was found, in words.
    pub found: String,
    /// The 95 % interval in words, or why there is none.
    pub interval: String,
    /// The answer.
    pub answer: Answer,
    /// What a reader should know about the answer; may be empty.
    pub why: String,
    /// The probability of such a measurement if the aim is kept.
    pub p_broken: f64,
    /// The same aim in the baseline; `None` if that had no request, or if the aim compares phases
    /// or arms.
    pub baseline: Option<Answer>,
}

impl Aim {
    /// The requests that were judged, in words.
    pub fn whose(&self) -> String {
        let starts = match self.expectation.starts {
            Starts::All => "",
            Starts::Warm => ", warm",
            Starts::Cold => ", cold",
        };
        format!("{}{starts}", self.arm.words())
    }
}

/// Where an aim comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The experiment's file.
    Experiment,
    /// It applies unless the file says otherwise: see [`crate::implied`].
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
    /// Requests that ended.
    pub requests: u64,
    /// Of these, failed or timed out.
    pub errors: u64,
    /// 95 % interval of the share of errors.
    pub errors_interval: Option<Interval>,
    /// How many of them waited for a new environment.
    pub cold: u64,
    /// p50, p90, p99 and p99.9, with failures as the slowest.
    pub quantiles: Vec<Quantile>,
    /// The longest time of an answer or a failure, in microseconds.
    pub longest_us: Option<u64>,
    /// 95 % interval of p99 in microseconds; `None` if there are too few requests, or if it ends
    /// among failures.
    pub p99_interval: Option<Interval>,
}

/// A quantile, with what it lacks if there are too few requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantile {
    /// Such as `p99`.
    pub at: String,
    /// In microseconds; `None` if the quantile is a failure.
    pub us: Option<u64>,
    /// How many more requests a 95 % interval of it needs; above 0 the number is not reliable.
    pub needs: u64,
}

/// Treatment against control at one quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectRow {
    /// The endpoint.
    pub endpoint: String,
    /// The fault whose roll separates the arms.
    pub fault: String,
    /// Such as `p99`.
    pub quantile: String,
    /// Treatment over control; `None` if there are too few requests.
    pub effect: Option<Ratio>,
    /// What is missing; may be empty.
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
    /// Whether it differs from 1 after the correction for all comparisons of the run (Holm, 5 %).
    pub differs: bool,
}

/// The control arm against itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodCheck {
    /// Not made, and why.
    NotMade(String),
    /// The halves agree in this many comparisons.
    Passed(usize),
    /// They differ, and where.
    Failed(String),
}

/// When an endpoint met its aims again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recovered {
    /// The endpoint.
    pub endpoint: String,
    /// Seconds from the calm; `None` if it did not recover while it was watched.
    pub after_s: Option<f64>,
    /// How long it was watched.
    pub watched_s: f64,
    /// Windows of 5 s with enough requests.
    pub windows: usize,
    /// What the time after that does not show; empty if it shows that all aims are met.
    #[serde(default)]
    pub lacks: String,
}

/// One fault's counts and the band they must be in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InjectionRow {
    /// The counts.
    pub books: Injections,
    /// The requested share.
    pub share: f64,
    /// The exact binomial 99.9 % band for the number struck.
    pub band: (u64, u64),
}

/// Six significant digits: enough for every use, and JSON reads them back unchanged.
pub(crate) fn short(value: f64) -> f64 {
    if value.is_finite() { format!("{value:.5e}").parse().unwrap_or(0.0) } else { 0.0 }
}

pub(crate) fn short_interval(interval: Interval) -> Interval {
    Interval { low: short(interval.low), high: short(interval.high) }
}
