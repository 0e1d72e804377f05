//! What is sent to the greeting, and what follows from that.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use load::open_model::{Arrival, Hands, Scenario};
use load::{Journey, TrafficError};
use run_folder::Deployment;

use super::{API, ENDPOINT, Greeting, GreetingLoad, rules};
use crate::Asked;
use crate::invariants::Invariant;
use crate::invariants::cedar::OracleError;
use crate::systems::load::{Setup, SystemLoad, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;
use crate::traffic::voice::{Line, Voice};

/// One request with a slow answer.
const JOURNEY: Journey = Journey { time: Duration::from_secs(2), requests: 1 };

#[async_trait]
impl SystemLoad for GreetingLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &Greeting
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn deployment(&self, _: &Setup) -> Deployment {
        Deployment { templates: template(Greeting.template(), []), ..Deployment::default() }
    }

    fn rules(&self, _: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        Ok(rules::all())
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        let number = Greeting.numbers().start;
        let api = traffic.order.api(API)?;
        let guests = Guests { voice: traffic.voice(number, api) };
        traffic.send(Arc::new(guests), api, self.rate.0, number, JOURNEY);
        Ok(())
    }
}

/// The scenario: every arrival asks once.
struct Guests {
    voice: Voice,
}

#[async_trait]
impl Scenario for Guests {
    fn name(&self) -> &'static str {
        "greeting"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let line = Line {
            endpoint: ENDPOINT,
            method: "GET",
            path: "/hello".to_owned(),
            headers: Vec::new(),
            body: String::new(),
            asked: Asked::Request { statuses: vec![200] },
        };
        self.voice.say(hands, arrival, 0, arrival.due, line).await;
    }
}
