//! Clients of the users API: the same journeys to each of its shapes, at one rate each. It judges
//! nothing.

mod journey;

use std::sync::Arc;
use std::time::Duration;

use crate::systems::users_api::{FIRST_NUMBER, SHAPES, Shape, UsersApiLoad};
use load::open_model::System;
use load::{Schedule, TrafficError, crew};
use tokio::sync::mpsc::UnboundedSender;

use crate::Event;
use crate::traffic::order::Order;
use crate::traffic::preparation;
use journey::Journey;

/// Eight requests one after another; in some, the function retries failing calls.
const JOURNEY: crew::Journey = crew::Journey { time: Duration::from_secs(3), requests: 8 };

/// The clients of every shape.
///
/// # Errors
/// If the stack has no API of a shape.
pub(crate) fn systems(order: &Order, load: &UsersApiLoad, events: &UnboundedSender<Event>) -> Result<Vec<System>, TrafficError> {
    let numbered = SHAPES.into_iter().zip(FIRST_NUMBER..);
    numbered.map(|(shape, number)| system(order, load, shape, number, events)).collect()
}

fn system(order: &Order, load: &UsersApiLoad, shape: Shape, number: u64, events: &UnboundedSender<Event>) -> Result<System, TrafficError> {
    let api = order.api(shape.api())?;
    let voice = preparation::voice(order, events, number, api);
    let schedule = Schedule::new(order.arrivals, load.rate.0, order.timeline.end(), order.seed, number);
    // All at the same moment: cold starts show when many requests reach idle functions at once.
    // After the faults, and where no p99 is measured, because simultaneous requests also wait for
    // one another.
    let schedule = schedule.with((0..load.burst).map(|_| order.timeline.calm_at() + order.timeline.recovery / 2));
    let users = order.users(load.rate.0, JOURNEY).saturating_add(load.burst as usize);
    let scenario = Arc::new(Journey::new(voice, shape, order.seed));
    Ok(System { scenario, schedule: Arc::new(schedule), users, address: api.address.clone() })
}
