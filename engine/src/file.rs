//! An experiment as it was written.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use faults::time::Time;
use scenarios::systems::System;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::bounds::{AtMostRatio, AtMostTime, Errors, Factor, MoreThanFor};

mod aws;
mod fault;
mod headers;
pub mod journey;
mod load;
mod reading;
pub mod rule;

pub use self::load::{Arrivals, HttpVersion, Load, Method, RequestLoad, TlsOptions};
pub use aws::{Aws, DeployedFunction, StopAlarm};
pub use fault::{FaultEntry, ServiceRoll};
pub use journey::{JourneyEntry, Stage};
pub use reading::{Wrong, is_of_load, line_and_column, read};
pub use rule::RuleEntry;

/// An experiment file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// What the experiment asks, in a sentence.
    #[serde(default)]
    #[schemars(with = "String")]
    pub question: Option<Spanned<String>>,
    /// The systems to bring up: `thermostat`, `clinic`, `mail`, `inactive-users`, `users-api`, `audit`.
    #[serde(default)]
    #[schemars(with = "Vec<System>")]
    pub systems: Vec<Spanned<System>>,
    /// What every roll, arrival and journey depends on; a whole number, 0 or more.
    #[serde(default)]
    pub seed: u64,
    /// The lengths of the phases.
    #[serde(default)]
    pub phases: Phases,
    /// What is sent to each system.
    #[serde(default)]
    pub load: Load,
    /// How the stack is set up.
    #[serde(default)]
    pub stack: Stack,
    /// How the experiment runs on AWS.
    #[serde(default)]
    #[schemars(with = "Option<Aws>")]
    pub aws: Option<Spanned<Aws>>,
    /// Journeys that users make: requests one after another.
    #[serde(default)]
    #[schemars(with = "Vec<JourneyEntry>")]
    pub journey: Vec<Spanned<JourneyEntry>>,
    /// What your own stack must do besides answering, whatever goes wrong.
    #[serde(default)]
    #[schemars(with = "Vec<RuleEntry>")]
    pub rule: Vec<Spanned<RuleEntry>>,
    /// What goes wrong.
    #[serde(default)]
    #[schemars(with = "Vec<FaultEntry>")]
    pub fault: Vec<Spanned<FaultEntry>>,
    /// The aims.
    #[serde(default)]
    #[schemars(with = "Vec<ExpectEntry>")]
    pub expect: Vec<Spanned<ExpectEntry>>,
    /// The invariants.
    #[serde(default)]
    pub expect_invariants: ExpectInvariants,
    /// When to end early.
    #[serde(default)]
    pub stop: Stop,
}

impl File {
    /// Whether it has requests of its own.
    pub fn sends_requests(&self) -> bool {
        !self.load.requests.is_empty() || !self.journey.is_empty()
    }

    /// How long the longest stages of its requests last; `None` if none has stages.
    pub fn staged(&self) -> Option<Duration> {
        let requests = self.load.requests.iter().map(|load| &load.get_ref().stages);
        let all = requests.chain(self.journey.iter().map(|journey| &journey.get_ref().stages));
        let length = |stages: &Vec<Spanned<Stage>>| -> Duration {
            stages.iter().filter_map(|stage| stage.get_ref().over.or(stage.get_ref().hold)).map(Time::duration).sum()
        };
        all.filter(|stages| !stages.is_empty()).map(length).max()
    }

    /// The endpoints of its own requests.
    pub fn requested(&self) -> Vec<String> {
        let mut all: Vec<String> = self.load.requests.iter().map(|load| load.get_ref().of.get_ref().clone()).collect();
        for journey in self.journey.iter().map(Spanned::get_ref) {
            for request in journey.request.iter().map(Spanned::get_ref) {
                let of = format!("{} {}", journey.name.get_ref(), request.name.get_ref());
                all.extend(request.retry.is_some().then(|| journey::settled(&of)));
                all.extend(request.first_byte.then(|| journey::first_byte(&of)));
                all.push(of);
            }
        }
        all
    }
}

/// The lengths of the phases.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Phases {
    /// Not recorded.
    pub warm_up: Time,
    /// Without faults.
    #[schemars(with = "Time")]
    pub baseline: Spanned<Time>,
    /// With faults.
    #[schemars(with = "Time")]
    pub fault: Spanned<Time>,
    /// After the calm.
    #[schemars(with = "Time")]
    pub recovery: Spanned<Time>,
    /// In place of these three, of `brownout load`: the one phase that it records; 30s unless it is given.
    #[schemars(with = "Option<Time>")]
    pub measured: Option<Spanned<Time>>,
    /// How long a plan is in force without being renewed; 1s to 60s.
    #[schemars(with = "Time")]
    pub lease: Spanned<Time>,
    /// Strike although the baseline already broke an invariant or missed an aim, to find what else is wrong; the verdict is `broken` all the same. False
    /// unless it is given.
    pub strike_a_broken_baseline: bool,
}

fn seconds(n: u64) -> Time {
    Time::from(Duration::from_secs(n))
}

impl Default for Phases {
    fn default() -> Self {
        let spanned = |n| Spanned::new(0..0, seconds(n));
        Self {
            warm_up: seconds(3),
            baseline: spanned(15),
            fault: spanned(30),
            recovery: spanned(15),
            measured: None,
            lease: spanned(60),
            strike_a_broken_baseline: false,
        }
    }
}

/// How many times faster than at AWS long waits go; functions, their timeouts and quotas by the second do not.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CompressedTime {
    /// Visibility and retention of queues, and the alarms on them; `1x` unless it is given, `10000x` at the most.
    #[serde(default = "as_it_is")]
    pub queues: Factor,
    /// Time to live; `1x` unless it is given.
    #[serde(default = "as_it_is")]
    pub expiry: Factor,
}

const fn as_it_is() -> Factor {
    Factor::ONE
}

/// How the stack is set up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stack {
    /// Your own SAM or CloudFormation template, in place of `systems`: a path that begins at this file's folder.
    #[serde(default)]
    #[schemars(with = "Option<PathBuf>")]
    pub template: Option<Spanned<PathBuf>>,
    /// The parameters of the template that differ from their defaults.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Layers of other accounts that the template names: a folder or a `.zip` file for each ARN.
    #[serde(default)]
    pub layers: BTreeMap<String, PathBuf>,
    /// Services that run somewhere else, in place of brownout's: `http://host:port` for each name, such as `dynamodb`. Their calls go through the same
    /// faults; rules about what they do are not checked.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub services: BTreeMap<String, Spanned<String>>,
    /// Those of `services` that may be at a public address.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub public_services: Vec<Spanned<String>>,
    /// Weaknesses of the published form to switch on.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub weaknesses: Vec<Spanned<String>>,
    /// How long the gateway keeps an authorizer's answer; 300s unless it says otherwise, 0s to 1h.
    #[serde(default)]
    #[schemars(with = "Option<Time>")]
    pub authorizer_cache: Option<Spanned<Time>>,
    /// Compressed time; the report says it.
    #[serde(default)]
    #[schemars(with = "Option<CompressedTime>")]
    pub compressed_time: Option<Spanned<CompressedTime>>,
}

/// The aims for one endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExpectEntry {
    /// The endpoint.
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// Whose requests `p50`, `p90`, `p99` and `errors` judge: `struck`, `control` (could have been struck and were not), `not-struck` (control, and those
    /// that no fault was about), or `all`. Unless it is given: `struck` where a fault with a share below 1 is about the endpoint, else `all`.
    pub arm: Option<Arm>,
    /// Leave out requests in whose way a new environment stood; false unless it is given. Their failures are judged all the same, as those of requests
    /// that `errors` is not about.
    #[serde(default)]
    pub warm: bool,
    /// Median in the fault phase. A failed request counts as slower than any bound.
    pub p50: Option<AtMostTime>,
    /// 90th percentile in the fault phase.
    pub p90: Option<AtMostTime>,
    /// 99th percentile in the fault phase.
    pub p99: Option<AtMostTime>,
    /// p99 of treatment against control, for every fault.
    pub p99_ratio: Option<AtMostRatio>,
    /// The share that may fail or time out in the fault phase, of the requests of its `arm`; `any` lets all failures of the endpoint go. Each arm is judged
    /// by itself: where `errors` is about one arm, or about warm requests, the others keep the bound that is there without it. By that, what no fault struck
    /// may fail as often as in the baseline and 2 % more, and so may what was struck by faults that only take time.
    pub errors: Option<Errors>,
    /// From the calm until the aims hold again, errors included.
    pub recovery: Option<AtMostTime>,
}

/// Whose requests an aim judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// Those that a fault struck.
    Struck,
    /// Those that a fault could have struck and did not.
    Control,
    /// Control, and those that no fault was about.
    NotStruck,
    /// All.
    All,
}

impl From<Arm> for reports::AimArm {
    fn from(arm: Arm) -> Self {
        match arm {
            Arm::Struck => Self::Struck,
            Arm::Control => Self::Control,
            Arm::NotStruck => Self::NotStruck,
            Arm::All => Self::All,
        }
    }
}

/// What is expected of the invariants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ExpectInvariants {
    /// Whether a broken invariant breaks the experiment.
    pub none_broken: bool,
    /// Rules about the requests of this file that are not checked, such as `["R-4"]`; the report names them.
    #[schemars(with = "Vec<String>")]
    pub off: Vec<Spanned<String>>,
}

impl Default for ExpectInvariants {
    fn default() -> Self {
        Self { none_broken: true, off: Vec::new() }
    }
}

/// When to end early.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stop {
    /// A share of failed requests, all endpoints together: of the last ten outcomes or of those of 5 s, whichever are more. Overdue by 5 s is failed.
    #[serde(default)]
    #[schemars(with = "Option<MoreThanFor>")]
    pub errors: Option<Spanned<MoreThanFor>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../scenarios/experiments/slow-authorizer.toml");

    #[test]
    fn a_good_file_reads_without_complaint() {
        let reading = read(GOOD);
        assert_eq!(reading.wrong, []);
        assert_eq!(reading.file.unwrap().systems.len(), 2);
    }
}
