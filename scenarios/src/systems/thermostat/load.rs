//! What is sent to the thermostats, and what follows from the number of homes.

use std::sync::Arc;

use async_trait::async_trait;
use load::TrafficError;
use run_folder::Deployment;
use run_folder::deployment::{Parameter, Seed, User};
use serde_json::json;

use super::traffic::convergence::Convergence;
use super::traffic::devices::{Devices, things};
use super::traffic::journeys::{JOURNEY, Thermostats};
use super::{API, Device, Home, POLICY_STORE, POOL, TABLE, Thermostat, ThermostatLoad, homes, policies, rules};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Setup, SystemLoad, outside, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

/// The weakness of the devices, which end on a rejected update.
const DIES_ON_REJECT: &str = "device-dies-on-reject";

#[async_trait]
impl SystemLoad for ThermostatLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &Thermostat
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn check(&self) -> Vec<String> {
        outside("homes", self.homes.into(), 1..=1000).into_iter().collect()
    }

    fn deployment(&self, _: &Setup) -> Deployment {
        let homes = homes(self.homes);
        let row = |device: &Device| {
            json!({
                "deviceId": {"S": device.id},
                "primaryOwner": {"S": device.primary_owner},
                "additionalUsers": {"SS": device.additional_users},
            })
        };
        let rows = homes.iter().flat_map(Home::devices).map(row).collect();
        let user = |name: &str| User { name: name.to_owned(), groups: Vec::new() };
        let users = homes.iter().flat_map(Home::users).map(user).collect();
        Deployment {
            templates: template(Thermostat.template(), [("CognitoEndpoint", Parameter::ServicesAddress)]),
            seed: Seed {
                rows: [(TABLE.to_owned(), rows)].into(),
                users: [(POOL.to_owned(), users)].into(),
                policies: [(POLICY_STORE.to_owned(), policies(self.homes))].into(),
            },
            ..Deployment::default()
        }
    }

    fn things(&self) -> Vec<String> {
        things(self.homes)
    }

    fn rules(&self, _: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        rules::all(self.homes)
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        let number = Thermostat.numbers().start;
        let convergence = Arc::new(Convergence::default());
        let api = traffic.order.api(API)?;
        let (people, staying) =
            Thermostats::prepare(traffic.voice(number, api), traffic.order, self.homes, Arc::clone(&convergence)).await?;
        let dies = traffic.order.setup.weaknesses.iter().any(|name| name == DIES_ON_REJECT);
        let devices = Devices::connect(traffic.order, self.homes, dies, traffic.events.clone(), convergence).await?;
        traffic.companions.push(Box::new(devices));
        traffic.tasks.spawn(staying);
        traffic.send(Arc::new(people), api, self.rate.0, number, JOURNEY);
        Ok(())
    }
}
