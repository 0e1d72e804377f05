//! What is sent to each shape of the users API.

use async_trait::async_trait;
use run_folder::Deployment;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{SHAPES, UsersApi, rules, traffic};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::outside;
use crate::systems::{Setup, SystemLoad, UnderTest, template};
use crate::traffic::TrafficError;
use crate::traffic::preparation::Preparation;
use crate::units::Rate;

/// As many environments as a function has here are 64.
const MOST_AT_ONCE: u64 = 50;

/// What is sent to each shape of the users API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsersApiLoad {
    /// Journeys begun a second, to each shape.
    pub rate: Rate,
    /// So many more at once to each shape in the middle of the recovery, so that cold starts are seen; none unless it is given, 50 at most.
    #[serde(default)]
    pub burst: u32,
}

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
        traffic.systems.extend(traffic::systems(traffic.order, self, &traffic.events));
        Ok(())
    }
}
