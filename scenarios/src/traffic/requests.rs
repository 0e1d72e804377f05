//! One request again and again, to an API of the stack or to an address elsewhere. It judges nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use load::open_model::{Arrival, Hands, Scenario, System};
use load::{Journey, Schedule, TrafficError};
use tokio::sync::mpsc::UnboundedSender;

use crate::traffic::order::{Order, RequestLoad, To};
use crate::traffic::voice::{Line, Voice};
use crate::{Asked, Event};

/// Over the internet, with a fault on its way.
const JOURNEY: Journey = Journey { time: Duration::from_secs(5), requests: 1 };

/// Numbers below belong to the systems that come with brownout.
const FIRST_NUMBER: u64 = 100;

struct Requests {
    voice: Voice,
    load: RequestLoad,
    path: String,
}

/// The senders of every request of `order`, each with a schedule of its own.
///
/// # Errors
/// If the stack has no such API.
pub(crate) fn systems(order: &Order, events: &UnboundedSender<Event>) -> Result<Vec<System>, TrafficError> {
    let numbered = order.load.requests.iter().zip(FIRST_NUMBER..);
    numbered.map(|(load, number)| system(order, load, number, events)).collect()
}

fn system(order: &Order, load: &RequestLoad, number: u64, events: &UnboundedSender<Event>) -> Result<System, TrafficError> {
    let (address, host, stage, path) = match &load.to {
        To::Elsewhere(endpoint) => (&endpoint.origin, &endpoint.host, "", &endpoint.path),
        To::Api { name, path } => {
            let api = order.api(name)?;
            (&api.address, &api.host, api.stage.as_str(), path)
        }
    };
    // Stamped: X-Ray and API Gateway take the time in a trace id for the time of the request.
    let voice =
        Voice { events: events.clone(), seed: order.seed, system: number, host: host.clone(), stage: stage.to_owned(), stamped: true };
    let schedule = Schedule::new(order.arrivals, load.rate, order.timeline.end(), order.seed, number);
    let scenario = Requests { voice, load: load.clone(), path: path.clone() };
    let users = order.users(load.rate, JOURNEY);
    Ok(System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address: address.clone() })
}

#[async_trait]
impl Scenario for Requests {
    fn name(&self) -> &'static str {
        self.load.of.split_once(' ').map_or("requests", |(name, _)| name)
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let load = &self.load;
        let line = Line {
            endpoint: load.of,
            method: load.method,
            path: self.path.clone(),
            headers: load.headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            body: load.body.clone(),
            asked: Asked::Request { statuses: load.statuses.clone() },
        };
        self.voice.say(hands, arrival, 0, arrival.due, line).await;
    }
}
