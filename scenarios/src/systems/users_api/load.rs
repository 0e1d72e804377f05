//! What is sent to each shape of the users API.

use async_trait::async_trait;
use load::TrafficError;
use run_folder::Deployment;

use super::{SHAPES, UsersApi, UsersApiLoad, rules, traffic};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Setup, SystemLoad, outside, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

/// As many environments as a function has here are 64.
const MOST_AT_ONCE: u64 = 50;

#[async_trait]
impl SystemLoad for UsersApiLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &UsersApi
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn arrivals(&self) -> f64 {
        self.rate.0 * SHAPES.len() as f64
    }

    fn check(&self) -> Vec<String> {
        outside("burst", self.burst.into(), 0..=MOST_AT_ONCE).into_iter().collect()
    }

    fn deployment(&self, _: &Setup) -> Deployment {
        Deployment { templates: template(UsersApi.template(), []), ..Deployment::default() }
    }

    fn rules(&self, _: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        Ok(rules::all())
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        traffic.systems.extend(traffic::systems(traffic.order, self, &traffic.events)?);
        Ok(())
    }
}
