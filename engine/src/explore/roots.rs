//! Which arrival each request belongs to. The roots of traces follow from seed, schedule, arrival and
//! request, so they are known before a request is sent.

use std::collections::HashMap;

use faults::Identity;
use load::{Schedule, chance};
use scenarios::journeys::{FIRST_NUMBER, Journey, REQUESTS_OF_A_STEP};

use crate::plan::Plan;

/// The most requests of a journey of a shipped system.
const MOST_REQUESTS: u64 = 64;

/// More arrivals than a system's rate says: some are drawn, and some come in addition.
const MORE: f64 = 2.0;

/// An arrival: one user who makes a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arrival {
    /// The number of its schedule.
    pub schedule: u64,
    /// Its number, from 0.
    pub number: u64,
}

/// The arrivals by the lasting part of their requests' roots.
#[derive(Debug, Default)]
pub struct Roots(HashMap<String, Arrival>);

impl Roots {
    /// All requests that a plan may send.
    pub fn of(plan: &Plan) -> Self {
        let mut roots = Self::default();
        let end = plan.timeline.end();
        for (journey, schedule) in plan.load.journeys.iter().zip(FIRST_NUMBER..) {
            let arrivals = Schedule::new(plan.arrivals, journey.rate, end, plan.seed, schedule).count();
            let requests: Vec<u64> = requests(journey).collect();
            (0..arrivals).for_each(|number| roots.add(plan.seed, Arrival { schedule, number }, requests.iter().copied()));
        }
        for load in &plan.load.systems {
            let arrivals = (load.arrivals() * end.as_secs_f64() * MORE).ceil() as u64 + MOST_REQUESTS;
            for schedule in load.system().numbers() {
                (0..arrivals).for_each(|number| roots.add(plan.seed, Arrival { schedule, number }, 0..MOST_REQUESTS));
            }
        }
        roots
    }

    fn add(&mut self, seed: u64, arrival: Arrival, requests: impl Iterator<Item = u64>) {
        for request in requests {
            self.insert(&chance::trace_root(seed, arrival.schedule, arrival.number, request), arrival);
        }
    }

    /// Adds a request of an arrival.
    pub(super) fn insert(&mut self, root: &str, arrival: Arrival) {
        self.0.insert(Identity(root).lasting().0.to_owned(), arrival);
    }

    /// The arrival that a request belongs to.
    pub fn arrival(&self, root: &str) -> Option<Arrival> {
        self.0.get(Identity(root).lasting().0).copied()
    }
}

/// The numbers of a journey's requests, with as many repetitions of each as there can be: the last are those of its sign-in.
fn requests(journey: &Journey) -> impl Iterator<Item = u64> {
    let sign_in = journey.around.sign_in.as_ref().map(|sign_in| &sign_in.step);
    // Each request may be repeated after another sign-in, and each request may need one.
    let (again, most) = if sign_in.is_some() { (2, journey.steps.len() as u128 + 1) } else { (1, 1) };
    let steps = journey.steps.iter().map(move |step| (step, again)).chain(sign_in.map(|step| (step, most)));
    steps.zip((0_u64..).step_by(REQUESTS_OF_A_STEP)).flat_map(|((step, times), first)| {
        let tries = times * step.retry.map_or(1, |retry| retry.within.as_millis() / retry.every.as_millis().max(1) + 2);
        first..first + u64::try_from(tries).unwrap_or(u64::MAX).min(REQUESTS_OF_A_STEP as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_requests_of_an_arrival_are_known_before_they_are_sent() {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let plan = crate::check(&name, &text).unwrap();
        let roots = Roots::of(&plan);
        let schedule = plan.systems[0].numbers().start;
        let root = chance::trace_root(plan.seed, schedule, 3, 5);
        assert_eq!(roots.arrival(&root), Some(Arrival { schedule, number: 3 }));
        assert_eq!(roots.arrival(&chance::trace_root(plan.seed + 1, schedule, 3, 5)), None);
    }
}
