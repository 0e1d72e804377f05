//! What audit records are sent, and what follows from that.

use std::time::Duration;

use async_trait::async_trait;
use faults::Share;
use load::TrafficError;
use run_folder::Deployment;
use run_folder::deployment::Parameter;

use super::table::LARGEST;
use super::{Audit, AuditLoad, rules, traffic};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Setup, SystemLoad, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

/// The head of a record is a quarter of a KiB.
const SMALLEST: u64 = 16 << 10;

/// A task that dies is tried five times within 15 s, its time is over after 15 s each, and a closing that waits for the others is tried for 142 s.
const EXECUTING: Duration = Duration::from_secs(160);

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
