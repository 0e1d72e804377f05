//! What mail is sent, and what follows from that.

use std::time::Duration;

use async_trait::async_trait;
use load::TrafficError;
use run_folder::Deployment;

use super::table::LARGEST;
use super::{Mail, MailLoad, rules, traffic};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Setup, SystemLoad, outside, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

/// A mail is never smaller than its list of readers and its text.
const SMALLEST: u64 = 16 << 10;

const MOST_AT_ONCE: u64 = 10_000;

/// A message that nobody could process comes back this often and a little more, at AWS's visibility, before it is a dead letter.
const DELIVERIES: Duration = Duration::from_secs(6 * 30);

/// And then it is moved and seen.
const SETTLING: Duration = Duration::from_secs(10);

#[async_trait]
impl SystemLoad for MailLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &Mail
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn check(&self) -> Vec<String> {
        let size = (!(SMALLEST..=LARGEST).contains(&self.largest.0)).then(|| "`largest` is outside `16KiB` to `40MiB`".to_owned());
        let shares = (self.malformed.value() + self.without_list.value() > 1.0)
            .then(|| "`malformed` and `without-list` are shares of all mails and make more than 1 together".to_owned());
        [outside("burst", self.burst.into(), 0..=MOST_AT_ONCE), size, shares].into_iter().flatten().collect()
    }

    /// Buckets are named for the world at AWS; here they have the names of the contract alone.
    fn deployment(&self, _: &Setup) -> Deployment {
        Deployment { templates: template(Mail.template(), [("BucketPrefix", "".into())]), ..Deployment::default() }
    }

    fn rules(&self, _: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        Ok(rules::all())
    }

    fn is_asynchronous(&self) -> bool {
        true
    }

    fn settling(&self, setup: &Setup) -> Duration {
        setup.compressed.queue(DELIVERIES) + SETTLING
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        traffic.systems.push(traffic::system(traffic.order, self, Mail.numbers().start, traffic.events.clone()));
        Ok(())
    }
}
