//! What audit records are sent, and what follows from that.

use std::time::Duration;

use async_trait::async_trait;
use faults::Share;
use run_folder::Deployment;
use run_folder::deployment::Parameter;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Audit, rules, traffic};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::{Setup, SystemLoad, UnderTest, template};
use crate::traffic::TrafficError;
use crate::traffic::preparation::Preparation;
use crate::units::{Rate, Size};

/// The head of a record is a quarter of a KiB.
const SMALLEST: u64 = 16 << 10;

/// More does not go into one invocation. Source: AWS Lambda, quotas.
const LARGEST: u64 = 6 << 20;

/// A task that dies is tried five times within 15 s, its time is over after 15 s each, and a closing that waits for the others is tried for 142 s.
const EXECUTING: Duration = Duration::from_secs(160);

/// Audit records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuditLoad {
    /// Records a second.
    pub rate: Rate,
    /// No body is larger; `6MiB` unless it is given, `16KiB` at least. The very largest are cut to what goes into one invocation.
    #[serde(default = "largest")]
    pub largest: Size,
    /// The share of requests that send a record again that was sent a moment before; 0.05 unless it is given.
    #[serde(default = "repeats")]
    pub repeats: Share,
    /// The share of records with a date that must be refused; 0.03 unless it is given.
    #[serde(default = "bad_dates")]
    pub bad_dates: Share,
    /// The share of records whose content is plain text and no base64; 0.02 unless it is given.
    #[serde(default = "not_base64")]
    pub not_base64: Share,
    /// The share of records with a wrong key or none; 0.01 unless it is given.
    #[serde(default = "bad_keys")]
    pub bad_keys: Share,
}

const fn largest() -> Size {
    Size(LARGEST)
}

fn repeats() -> Share {
    Share::try_from(0.05).unwrap_or(Share::ALL)
}

fn bad_dates() -> Share {
    Share::try_from(0.03).unwrap_or(Share::ALL)
}

fn not_base64() -> Share {
    Share::try_from(0.02).unwrap_or(Share::ALL)
}

fn bad_keys() -> Share {
    Share::try_from(0.01).unwrap_or(Share::ALL)
}

#[async_trait]
impl SystemLoad for AuditLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &Audit
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn check(&self) -> Vec<String> {
        let size = (!(SMALLEST..=LARGEST).contains(&self.largest.0)).then_some("`largest` is outside `16KiB` to `6MiB`");
        let shares: f64 = [self.repeats, self.bad_dates, self.not_base64, self.bad_keys].map(Share::value).iter().sum();
        let shares = (shares > 1.0)
            .then_some("`repeats`, `bad-dates`, `not-base64` and `bad-keys` are shares of all records and make more than 1 together");
        [size, shares].into_iter().flatten().map(str::to_owned).collect()
    }

    /// Buckets are named for the world at AWS; here they have the names of the contract alone.
    fn deployment(&self, _: &Setup) -> Deployment {
        let parameters = [("BucketPrefix", "".into()), ("CacheUrl", Parameter::CacheAddress)];
        Deployment { templates: template(Audit.template(), parameters), ..Deployment::default() }
    }

    fn rules(&self, _: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        Ok(rules::all())
    }

    fn is_asynchronous(&self) -> bool {
        true
    }

    fn works_for_minutes(&self) -> bool {
        true
    }

    fn settling(&self, _: &Setup) -> Duration {
        EXECUTING
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        let records = traffic::system(traffic.order, self, Audit.numbers().start, traffic.events.clone())?;
        traffic.systems.push(records);
        Ok(())
    }
}
