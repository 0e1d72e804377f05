//! Clients of the users API: the same journeys to each of its shapes, at one rate each. It judges
//! nothing.

mod journey;

use std::sync::Arc;
use std::time::Duration;

use crate::systems::users_api::{FIRST_NUMBER, SHAPES, Shape, UsersApiLoad};
use load::open_model::System;
use load::{Schedule, crew};
use tokio::sync::mpsc::UnboundedSender;

use crate::Event;
use crate::traffic::order::Order;
use crate::traffic::voice::Voice;
use journey::Journey;

/// Eight requests one after another; in some, the function retries failing calls.
const JOURNEY: crew::Journey = crew::Journey { time: Duration::from_secs(3), requests: 8 };

/// The clients of every shape.
pub(crate) fn systems(order: &Order, load: &UsersApiLoad, events: &UnboundedSender<Event>) -> Vec<System> {
    let numbered = SHAPES.into_iter().zip(FIRST_NUMBER..);
    numbered.map(|(shape, number)| system(order, load, shape, number, events)).collect()
}

fn system(order: &Order, load: &UsersApiLoad, shape: Shape, number: u64, events: &UnboundedSender<Event>) -> System {
    let gateway = order.addresses.gateway.clone();
    let stage = stage(shape);
    let voice = Voice { events: events.clone(), seed: order.seed, system: number, gateway: gateway.clone(), stage, stamped: false };
    let schedule = Schedule::new(order.arrivals, load.rate.0, order.timeline.end(), order.seed, number);
    // All at the same moment: cold starts show when many requests reach idle functions at once.
    // After the faults, and where no p99 is measured, because simultaneous requests also wait for
    // one another.
    let schedule = schedule.with((0..load.burst).map(|_| order.timeline.calm_at() + order.timeline.recovery / 2));
    let users = order.users(load.rate.0, JOURNEY).saturating_add(load.burst as usize);
    System { scenario: Arc::new(Journey::new(voice, shape, order.seed)), schedule: Arc::new(schedule), users, address: gateway }
}

const fn stage(shape: Shape) -> &'static str {
    match shape {
        Shape::PerVerb => "/users-per-verb",
        Shape::One => "/users-one",
        Shape::ReadWrite => "/users-read-write",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_requested_at_its_stage() {
        for shape in SHAPES {
            assert_eq!(stage(shape), format!("/{}", shape.name()));
        }
    }
}
