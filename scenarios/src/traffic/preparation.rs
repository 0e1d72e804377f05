//! What systems put together before the traffic begins: scenarios, and what goes on beside them. It sends nothing.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use load::open_model::{Scenario, System};
use load::{Journey, Schedule, TrafficError};
use run_folder::Seen;
use run_folder::addresses::Api;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use crate::Event;
use crate::invariants::Quiet;
use crate::traffic::order::Order;
use crate::traffic::voice::Voice;

/// The traffic before it begins.
pub struct Preparation<'a> {
    /// What to send, where, and when.
    pub(crate) order: &'a Order,
    /// Where events are told.
    pub(crate) events: UnboundedSender<Event>,
    /// What goes on until the traffic has ended.
    pub(crate) tasks: JoinSet<()>,
    /// The scenarios with their schedules.
    pub(crate) systems: Vec<System>,
    /// What begins with the first arrival.
    pub(crate) companions: Vec<Box<dyn Companion>>,
}

/// What goes on beside a system's scenarios, such as its devices. It ends when it is dropped.
#[async_trait]
pub(crate) trait Companion: Send + Sync {
    /// Begins; `begun` is offset 0.
    fn begin(&mut self, order: &Order, begun: Instant) -> Result<(), TrafficError>;
    /// Is told what a service saw.
    fn saw(&self, _seen: &Seen) {}
    /// Waits until it has nothing to report, not for long.
    async fn quiet(&self) {}
    /// Looks whether it is at rest, after the last answer; what it saw goes into `quiet`.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn at_rest(&self, _quiet: &mut Quiet) -> Result<bool, TrafficError> {
        Ok(true)
    }
}

impl<'a> Preparation<'a> {
    pub(crate) fn new(order: &'a Order, events: UnboundedSender<Event>) -> Self {
        Self { order, events, tasks: JoinSet::new(), systems: Vec::new(), companions: Vec::new() }
    }

    /// Tells of requests to an API. `number` is one of the system's own.
    pub(crate) fn voice(&self, number: u64, api: &Api) -> Voice {
        voice(self.order, &self.events, number, api)
    }

    /// Sends a scenario's requests to an API at a rate.
    pub(crate) fn send(&mut self, scenario: Arc<dyn Scenario>, api: &Api, rate: f64, number: u64, journey: Journey) {
        let order = self.order;
        let schedule = Schedule::new(order.arrivals, rate, order.timeline.end(), order.seed, number);
        let users = order.users(rate, journey);
        self.systems.push(System { scenario, schedule: Arc::new(schedule), users, address: api.address.clone() });
    }
}

/// Tells of requests to an API of the stack.
pub(crate) fn voice(order: &Order, events: &UnboundedSender<Event>, number: u64, api: &Api) -> Voice {
    // API Gateway at AWS takes the time in a trace id for the time of the request.
    let stamped = !order.addresses.is_local();
    Voice {
        events: events.clone(),
        seed: order.seed,
        system: number,
        host: api.host.clone(),
        stage: api.stage.clone(),
        stamped,
        tokens: order.load.tokens.clone(),
    }
}
