//! What is sent to the clinic, and what is deployed for it.

use std::sync::Arc;

use async_trait::async_trait;
use load::TrafficError;
use run_folder::deployment::{Parameter, Seed, User as Seeded};
use run_folder::{Addresses, Deployment};
use serde_json::{Value, json};

use super::traffic::journeys::{Clinic as People, JOURNEY};
use super::{API, APPOINTMENTS, Appointment, Clinic, ClinicLoad, NAMESAKES, POLICY_STORE, Pool, TABLE, USERS, policies, probes, rules};
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Probed, Setup, SystemLoad, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

#[async_trait]
impl SystemLoad for ClinicLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &Clinic
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn deployment(&self, setup: &Setup) -> Deployment {
        let users = |pool: Pool, group: &str| {
            let here = USERS.into_iter().chain(NAMESAKES).filter(|user| user.pool == pool);
            (pool.name().to_owned(), here.map(|user| Seeded { name: user.name.to_owned(), groups: vec![group.to_owned()] }).collect())
        };
        let cache = setup.authorizer_cache.as_secs().to_string();
        Deployment {
            templates: template(
                Clinic.template(),
                [("CognitoEndpoint", Parameter::ServicesAddress), ("AuthorizerCacheSeconds", Parameter::Text(cache))],
            ),
            seed: Seed {
                rows: [(TABLE.to_owned(), APPOINTMENTS.iter().enumerate().map(row).collect())].into(),
                users: [users(Pool::Internal, "Doctor"), users(Pool::External, "Client")].into(),
                policies: [(POLICY_STORE.to_owned(), policies())].into(),
            },
            ..Deployment::default()
        }
    }

    fn rules(&self, setup: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        rules::all(setup.authorizer_cache)
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        let number = Clinic.numbers().start;
        let api = traffic.order.api(API)?;
        let (people, stock) = People::prepare(traffic.voice(number, api), traffic.order, self.rate.0).await?;
        traffic.tasks.spawn(stock.keep_filled());
        traffic.send(Arc::new(people), api, self.rate.0, number, JOURNEY);
        Ok(())
    }

    async fn probe(&self, addresses: &Addresses, setup: &Setup) -> Vec<Probed> {
        if !addresses.is_local() {
            return Vec::new();
        }
        probes::all(addresses, setup.authorizer_cache).await.map(|probed| probed.map_err(Into::into)).into()
    }
}

fn row((n, appointment): (usize, &Appointment)) -> Value {
    json!({
        "id": {"S": appointment.id},
        "owner": {"S": appointment.owner},
        "veterinarian": {"S": appointment.veterinarian},
        "name": {"S": appointment.owner},
        "pet": {"S": format!("Pet {}", n + 1)},
        "phone": {"S": format!("555-010{n}")},
        "visitHistory": {"L": [{"S": "2024-03-01 check-up"}, {"S": "2024-09-12 vaccination"}]},
    })
}
