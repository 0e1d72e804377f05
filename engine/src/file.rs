//! An experiment as it was written.

use faults::kinds::{
    again::Again, dependency::Outage, error::Failure, event::Edits, init::Init, kill::Kill, latency::Latency, resource::Pressure,
    response::Replacement, stream::Pace, throttle::Burst, timeout::Hold,
};
use faults::{Kind, Share, When, time::Time};
use scenarios::systems::System;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::bounds::{AtMostRatio, AtMostTime, Errors, Factor, MoreThanFor};

mod aws;
mod load;
mod reading;

pub use aws::{Aws, DeployedFunction, StopAlarm};
pub use load::{Arrivals, Load, RequestLoad};
pub use reading::{Wrong, line_and_column, read};

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
    /// Functions deployed on AWS, in place of `systems`.
    #[serde(default)]
    #[schemars(with = "Option<Aws>")]
    pub aws: Option<Spanned<Aws>>,
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
    pub recovery: Time,
    /// How long a plan is in force without being renewed; 1s to 60s.
    #[schemars(with = "Time")]
    pub lease: Spanned<Time>,
    /// Strike although the baseline already broke an invariant, to find what else is wrong; false unless it is given.
    pub strike_a_broken_baseline: bool,
}

fn seconds(n: u64) -> Time {
    Time::from(std::time::Duration::from_secs(n))
}

impl Default for Phases {
    fn default() -> Self {
        let spanned = |n| Spanned::new(0..0, seconds(n));
        Self {
            warm_up: seconds(3),
            baseline: spanned(15),
            fault: spanned(30),
            recovery: seconds(15),
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

/// One fault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultEntry {
    /// Its name in reports; made of place and kind unless it is given.
    pub name: Option<String>,
    /// The function that is struck; either this or `service`.
    #[schemars(with = "Option<String>")]
    pub function: Option<Spanned<String>>,
    /// The cloud service that is struck.
    #[schemars(with = "Option<String>")]
    pub service: Option<Spanned<String>>,
    /// One operation of the service; all unless it is given.
    #[schemars(with = "Option<String>")]
    pub operation: Option<Spanned<String>>,
    /// The share of the eligible invocations that is struck; the rest are the control arm. 1 unless it is given.
    #[serde(default = "all")]
    pub share: Share,
    /// Which invocations are eligible.
    #[serde(default)]
    pub when: When,
    /// How often it strikes at most in each environment; as often as the rolls say unless it is given.
    pub at_most: Option<u64>,
    /// What the roll of a call to a `service` depends on; `each-call` unless it is given.
    pub roll: Option<ServiceRoll>,
    /// When it begins, from the start of the fault phase; at once unless it is given.
    pub from: Option<Time>,
    /// When it ends, from the start of the fault phase; with the phase unless it is given.
    pub until: Option<Time>,
    /// The event or the answer is held back for a while.
    pub latency: Option<Latency>,
    /// The invocation fails, with or without the handler having run.
    pub error: Option<Failure>,
    /// Another answer takes the place of the handler's, or its bytes are cut, corrupted or dropped.
    pub response: Option<Replacement>,
    /// The bytes of the answer come late, slowly, or break off.
    pub stream: Option<Pace>,
    /// The event is handed over a second time.
    pub again: Option<Again>,
    /// The event is altered before the handler sees it.
    pub event: Option<Edits>,
    /// The event is held until the deadline, or a share of it, has passed.
    pub timeout: Option<Hold>,
    /// The runtime's process is killed.
    pub kill: Option<Kill>,
    /// The environment starts slowly or not at all.
    pub init: Option<Init>,
    /// Several invocations in a row are refused.
    pub throttle: Option<Burst>,
    /// The environment is short of CPU, memory or disk while the handler runs.
    pub resource: Option<Pressure>,
    /// The function's calls to a host fail or are slow.
    pub dependency: Option<Outage>,
}

/// What the roll of a call to a service depends on, beside the seed and the fault's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRoll {
    /// The request and the number of the call among the calls of this request that the fault is about: each try is rolled anew, and a retry can
    /// win. Of calls that a request makes at the same time, the order of their arrival counts.
    #[default]
    EachCall,
    /// The request alone: all its calls are struck, or none; a retry within the request never wins.
    SameRequest,
}

impl FaultEntry {
    /// The kinds that it names.
    pub fn kinds(&self) -> Vec<Kind> {
        let kinds = [
            self.latency.clone().map(Kind::Latency),
            self.error.clone().map(Kind::Error),
            self.response.clone().map(Kind::Response),
            self.stream.clone().map(Kind::Stream),
            self.again.map(Kind::Again),
            self.event.clone().map(Kind::Event),
            self.timeout.clone().map(Kind::Timeout),
            self.kill.map(Kind::Kill),
            self.init.clone().map(Kind::Init),
            self.throttle.clone().map(Kind::Throttle),
            self.resource.map(Kind::Resource),
            self.dependency.clone().map(Kind::Dependency),
        ];
        kinds.into_iter().flatten().collect()
    }
}

const fn all() -> Share {
    Share::ALL
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
    /// Leave out requests in whose way a new environment stood; false unless it is given.
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
    /// Failed or timed out in the fault phase; `any` lets them go. Unless it is given, what no fault struck may fail as often as in the baseline and 2 %
    /// more, and so may what was struck by faults that only take time.
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
}

impl Default for ExpectInvariants {
    fn default() -> Self {
        Self { none_broken: true }
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

    #[test]
    fn the_kinds_of_fault_are_those_of_the_vocabulary() {
        let schema = schemars::schema_for!(FaultEntry);
        let properties = schema.as_value()["properties"].as_object().unwrap();
        for name in faults::kinds::NAMES {
            assert!(properties.contains_key(*name), "{name}");
        }
    }
}
