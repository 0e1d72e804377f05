//! Everything the engine measured, without conclusions: the input of the verdict.

use std::collections::BTreeMap;
use std::time::Duration;

use faults::Fault;
use serde::{Deserialize, Serialize};

use crate::dispositions::Dispositions;
use crate::expectation::Expectation;
use crate::latencies::{Latencies, Phase};

/// The measurements of one run.
#[derive(Debug)]
pub struct Measurements {
    /// The experiment.
    pub experiment: Experiment,
    /// When each phase began and ended, in seconds from the start of the recording (the start of the baseline).
    pub phases: Vec<PhaseSpan>,
    /// The wall clock at second 0, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Latency from the intended time.
    pub latencies: Latencies,
    /// Latency from the actual time of sending, of the same requests: without lateness of the
    /// generator.
    pub service_times: Latencies,
    /// The generator's counts.
    pub books: Books,
    /// How the requests ended.
    pub endings: Endings,
    /// The outcomes of everything that arrived without HTTP: mails, sign-ins' records, expiries.
    pub dispositions: Vec<Dispositions>,
    /// Deployments of one API to compare; empty unless there are several.
    pub deployments: Vec<Deployment>,
    /// The counts of the ledgers, one row a fault.
    pub injections: Vec<Injections>,
    /// Requests whose ledger entries were missing, double, or of the wrong arm. If not empty, the
    /// harness has a bug.
    pub discrepancies: Vec<String>,
    /// The generator's own health.
    pub generator: Generator,
    /// The platform's own health.
    pub platform: Platform,
    /// What the oracles found.
    pub invariants: Vec<Invariant>,
    /// How the run ended.
    pub end: End,
    /// Whether everything is restored.
    pub restored: Restored,
    /// What no rule can check on this target, in a few words each.
    pub unchecked: Vec<String>,
    /// Notes for the reader: cold starts, notes of the extensions, rules that were not exercised.
    pub notes: Vec<String>,
}

impl Measurements {
    /// The phase on which aims are judged.
    pub const fn judged(&self) -> Phase {
        match self.experiment.kind {
            RunKind::Experiment => Phase::Fault,
            RunKind::Load => Phase::Baseline,
        }
    }
}

/// What a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Load with faults, judged under fault.
    #[default]
    Experiment,
    /// Load alone: it ends after its baseline, on which it is judged.
    Load,
}

impl RunKind {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Experiment => "experiment",
            Self::Load => "load",
        }
    }

    /// The name of a phase; load alone has one that is recorded.
    pub const fn phase(self, phase: Phase) -> &'static str {
        match (phase, self) {
            (Phase::WarmUp, _) => "warm-up",
            (Phase::Baseline, Self::Experiment) => "baseline",
            (Phase::Baseline, Self::Load) => "measured",
            (Phase::Fault, _) => "fault",
            (Phase::Recovery, _) => "recovery",
        }
    }
}

/// The experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// Whether it is an experiment or load alone.
    #[serde(default)]
    pub kind: RunKind,
    /// The file's name without `.toml`.
    pub name: String,
    /// Its question.
    pub question: String,
    /// The seed.
    pub seed: u64,
    /// The file as it was written.
    pub text: String,
    /// The command line that runs it again.
    pub command: String,
    /// The systems under test.
    pub systems: Vec<String>,
    /// Weaknesses switched on.
    pub weaknesses: Vec<String>,
    /// The faults.
    pub faults: Vec<Fault>,
    /// The aims.
    pub expectations: Vec<Expectation>,
    /// Endpoints whose errors are accepted (`errors = "any"`).
    #[serde(default)]
    pub any_errors: Vec<String>,
    /// Whether a broken invariant breaks the experiment.
    pub none_broken: bool,
    /// How much faster than at AWS the long waits went, such as `queues 30 times faster`; empty if
    /// nothing was faster.
    #[serde(default)]
    pub compressed_time: String,
    /// Version of brownout.
    pub version: String,
}

/// One of several deployments of one API: the same routes, spread over different functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Its routes.
    pub routes: Vec<Route>,
}

/// A route of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The key that it shares with other deployments, such as `GET /users/{id}`.
    pub route: String,
    /// The endpoint under which its requests are recorded.
    pub endpoint: String,
    /// The function that serves it.
    pub function: String,
}

/// When a phase was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// The phase.
    pub phase: Phase,
    /// First second.
    pub from_s: f64,
    /// Last second, excluded.
    pub to_s: f64,
}

/// The requests that the generator sent, and their outcomes.
/// `sent = answered + failed + timed_out + cancelled`, or the counts do not balance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// Requests due in the recorded phases.
    pub planned: u64,
    /// Requests sent.
    pub sent: u64,
    /// Answered with a status that the request calls right.
    pub answered: u64,
    /// Answered with any other status, or the connection failed.
    pub failed: u64,
    /// No answer in time.
    pub timed_out: u64,
    /// Cancelled by the end of the run.
    pub cancelled: u64,
}

/// How the requests of the recorded phases ended, in more detail than the books.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endings {
    /// Whole answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answered, but with a status or a body that the request does not call right.
    pub unexpected: u64,
    /// No connection could be made.
    pub no_connection: u64,
    /// The connection ended before the answer was whole.
    pub cut_off: u64,
    /// No whole answer in time.
    pub timed_out: u64,
}

/// The counts of one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injections {
    /// The fault's name.
    pub fault: String,
    /// Where it strikes, as its place prints.
    pub place: String,
    /// Eligible invocations: those in a ledger, and those missing from every ledger.
    pub eligible: u64,
    /// Of these, how many are missing from every ledger.
    #[serde(default)]
    pub unknown: u64,
    /// Of these, how many the roll planned to strike.
    pub planned: u64,
    /// Of these, how many were struck.
    pub struck: u64,
    /// Sum of the requested waits of those that waited, in microseconds.
    pub asked_us: u64,
    /// Sum of their actual waits, in microseconds.
    pub waited_us: u64,
}

impl Injections {
    /// Empty counts of a fault.
    pub fn none_of(fault: &Fault) -> Self {
        Self {
            fault: fault.name.clone(),
            place: fault.place.to_string(),
            eligible: 0,
            unknown: 0,
            planned: 0,
            struck: 0,
            asked_us: 0,
            waited_us: 0,
        }
    }
}

/// The generator's own health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// The intended arrivals a second.
    pub intended_per_s: f64,
    /// The started arrivals a second.
    pub achieved_per_s: f64,
    /// How late requests were started: median.
    pub lag_p50: Duration,
    /// 99th percentile.
    pub lag_p99: Duration,
    /// Latest.
    pub lag_max: Duration,
    /// Processor time used over wall time, 1 is one core.
    pub cpu: f64,
}

/// The platform's own health.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// Invocations in the recorded phases.
    pub invocations: u64,
    /// Environments started.
    pub environments: u64,
    /// Invocations that waited for an environment although the concurrency allowed another one: the
    /// machine is the bottleneck.
    pub queued: u64,
    /// 99th percentile of that wait.
    pub queue_p99: Duration,
    /// Throttled by reserved concurrency.
    pub throttled: u64,
    /// Environments that crashed or reached their timeout.
    pub ended_badly: u64,
    /// How this machine's processors were used, by phase; empty if the system under test does not run on
    /// this machine, or the machine does not tell.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub processors: BTreeMap<Phase, Processors>,
}

/// How this machine's processors were used, in percent of the time of all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processors {
    /// By programs that do not belong to this run.
    pub others: u8,
    /// Not at all.
    pub idle: u8,
}

impl Processors {
    /// Whether other programs took what the system under test needed.
    pub const fn are_taken(self) -> bool {
        self.others >= 50 && self.idle <= 10
    }
}

/// What one oracle found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invariant {
    /// Such as `A-1`.
    pub id: String,
    /// The rule in a sentence.
    pub rule: String,
    /// How often it was checked; 0 means that it was not exercised.
    pub checked: u64,
    /// How often it was broken.
    pub broken: u64,
    /// Of these, in the baseline.
    pub broken_in_baseline: u64,
    /// At most five exchanges that broke it.
    pub exchanges: Vec<Exchange>,
}

/// An exchange that broke an invariant: no token, no body beyond what is needed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Seconds from the start of the recording.
    pub at_s: f64,
    /// Trace root, to find it in logs.
    pub root: String,
    /// The request, such as `POST /control/Thermostat1 as jane_doe, SetTemperature 79`.
    pub asked: String,
    /// The answer, such as `200`.
    pub answered: String,
    /// The right answer, and why.
    pub expected: String,
    /// A command that repeats it.
    pub repeat: String,
}

/// How the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It reached the end of the last phase.
    Finished,
    /// The baseline already broke an aim or an invariant; nothing was struck.
    BrokenBaseline,
    /// A stop condition fired.
    Stopped(String),
    /// The user stopped it.
    Interrupted,
    /// It failed.
    Failed(String),
}

/// Whether everything is restored as before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restored {
    /// Nothing of brownout is left.
    Yes,
    /// What is left, and the command that undoes it.
    No {
        /// What is still attached or running.
        left: Vec<String>,
        /// The command that undoes it.
        command: String,
    },
}
