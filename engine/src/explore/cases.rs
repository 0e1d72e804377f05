//! The cases, and which request of a wave has which. One case hurts one arrival at one place in one
//! way; all other arrivals are left alone. The same traffic gives the same cases.

use std::collections::BTreeSet;
use std::time::Duration;

use faults::{By, Cases, Fault, Share, When};

use super::observed::{Observed, lasting};
use super::place::{Place, Spot};
use super::roots::Arrival;
use super::ways::{Hurt, Way};
use crate::story::Request;

/// The most cases of a wave: each is a fault of its plan.
const MOST: usize = 200;

/// The most cases of a wave that take an environment from others.
const MOST_ENVIRONMENTS: usize = 30;

/// One way to hurt one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The place.
    pub place: Place,
    /// The way.
    pub way: Way,
    /// The fault.
    pub hurt: Hurt,
}

/// A case and the request that it hurts.
#[derive(Debug, Clone, PartialEq)]
pub struct Dealt {
    /// The case's index.
    pub case: usize,
    /// The arrival.
    pub arrival: Arrival,
    /// The root of the request.
    pub root: String,
    /// When the request is due.
    pub due: Duration,
}

/// Which requests of a wave may be hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first may be due then.
    pub from: Duration,
    /// The last may be due then.
    pub to: Duration,
    /// How far apart the hurt requests are at least.
    pub apart: Duration,
}

impl Window {
    fn has(&self, due: Duration) -> bool {
        (self.from..=self.to).contains(&due)
    }
}

/// The name of a case's fault.
pub fn fault_name(case: usize) -> String {
    format!("case-{case}")
}

impl Case {
    /// Its fault, about one request.
    pub fn fault(&self, number: usize, root: &str) -> Fault {
        let (place, by, from, caller) = match &self.place.spot {
            Spot::Invocation { function } => (faults::Place::Function(function.clone()), By::Trace, 1, None),
            Spot::Call { function, service, operation, number } => {
                let place = faults::Place::Service { name: service.clone(), operation: Some(operation.clone()) };
                (place, By::Call, *number, Some(function.clone()))
            }
        };
        let to = from.saturating_add(self.hurt.times.saturating_sub(1));
        Fault {
            name: fault_name(number),
            place,
            share: Share::ALL,
            when: When::default(),
            at_most: None,
            by,
            cases: Some(Cases { roots: [lasting(root).to_owned()].into(), from, to, caller }),
            kind: self.hurt.kind.clone(),
        }
    }
}

/// Gives each of the `wanted` cases a request of the fault-free traffic that has its place, as long as
/// there are such requests; those that got none are left for another wave.
pub fn deal(cases: &[Case], wanted: &[usize], fault_free: &Observed, window: Window) -> Vec<Dealt> {
    let candidates = candidates(fault_free, window);
    // By place, so that what takes long is spread over the wave.
    let mut wanted: Vec<usize> = wanted.iter().copied().filter(|index| cases.get(*index).is_some()).collect();
    wanted.sort_unstable();
    let (mut dealt, mut used, mut environments) = (Vec::new(), BTreeSet::new(), 0);
    for index in wanted {
        let Some(case) = cases.get(index) else { continue };
        if dealt.len() >= MOST || (case.way.takes_an_environment() && environments >= MOST_ENVIRONMENTS) {
            continue;
        }
        let is_apart = |due: Duration, dealt: &[Dealt]| dealt.iter().all(|other| other.due.abs_diff(due) >= window.apart);
        let found = candidates.iter().find(|candidate| {
            candidate.endpoint == case.place.endpoint
                && !used.contains(&candidate.arrival)
                && candidate.spots.contains(&case.place.spot)
                && is_apart(candidate.due, &dealt)
        });
        if let Some(Candidate { arrival, root, due, .. }) = found {
            used.insert(*arrival);
            environments += usize::from(case.way.takes_an_environment());
            dealt.push(Dealt { case: index, arrival: *arrival, root: (*root).to_owned(), due: *due });
        }
    }
    dealt
}

/// A request that may be hurt.
struct Candidate<'a> {
    arrival: Arrival,
    endpoint: &'static str,
    root: &'a str,
    due: Duration,
    spots: Vec<Spot>,
}

/// The first request of each arrival to each endpoint, if all of the arrival is within the window, by
/// the time when it is due.
fn candidates(fault_free: &Observed, window: Window) -> Vec<Candidate<'_>> {
    let mut all = Vec::new();
    for (arrival, requests) in fault_free.arrivals() {
        if !requests.iter().all(|request| window.has(request.due)) {
            continue;
        }
        for request in firsts(requests) {
            let spots = fault_free.tree(&request.root).map(|tree| tree.spots()).unwrap_or_default();
            all.push(Candidate { arrival, endpoint: request.endpoint, root: &request.root, due: request.due, spots });
        }
    }
    all.sort_by_key(|candidate| (candidate.due, candidate.arrival));
    all
}

/// The first request to each endpoint: a repeated one has a number of repetitions that depends on time.
fn firsts(requests: &[Request]) -> Vec<&Request> {
    let mut firsts: Vec<&Request> = Vec::new();
    for request in requests {
        match firsts.iter_mut().find(|first| first.endpoint == request.endpoint) {
            Some(first) if request.due < first.due => *first = request,
            Some(_) => {}
            None => firsts.push(request),
        }
    }
    firsts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faults::Kind;
    use faults::kinds::again::Again;

    use super::super::fixtures::{arrival, fault_free, root};
    use super::*;

    fn case(way: Way) -> Case {
        let spot = Spot::Call { function: "place".into(), service: "dynamodb".into(), operation: "PutItem".into(), number: 1 };
        Case { place: Place { endpoint: "buy place".into(), spot }, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 2 } }
    }

    fn window(to_s: u64, apart_s: u64) -> Window {
        Window { from: Duration::from_secs(1), to: Duration::from_secs(to_s), apart: Duration::from_secs(apart_s) }
    }

    #[test]
    fn each_case_has_an_arrival_of_its_own_within_the_window_and_in_order() {
        // Arrivals 0 to 5 are due at 0 s to 5 s.
        let fault_free = fault_free(6);
        let cases = [case(Way::Error), case(Way::Slow), case(Way::LostAnswer)];
        let numbers = |wanted: &[usize], window: Window| -> Vec<(usize, u64)> {
            deal(&cases, wanted, &fault_free, window).iter().map(|dealt| (dealt.case, dealt.arrival.number)).collect()
        };
        assert_eq!(numbers(&[0, 1, 2], window(4, 0)), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(numbers(&[2, 0, 1], window(2, 0)), [(0, 1), (1, 2)], "the last one is left for another wave");
        assert_eq!(numbers(&[0, 1, 2], window(5, 2)), [(0, 1), (1, 3), (2, 5)]);
        let elsewhere = Case { place: Place { endpoint: "buy look".into(), ..cases[0].place.clone() }, ..cases[0].clone() };
        assert_eq!(deal(&[elsewhere], &[0], &fault_free, window(5, 0)), []);
    }

    #[test]
    fn few_cases_of_a_wave_take_an_environment() {
        let many = u32::try_from(MOST_ENVIRONMENTS).unwrap() + 20;
        let cases: Vec<_> = (0..many).map(|n| case(if n % 2 == 0 { Way::Timeout } else { Way::Error })).collect();
        let wanted: Vec<_> = (0..cases.len()).collect();
        let dealt = deal(&cases, &wanted, &fault_free(many + 2), window(1_000, 0));
        assert_eq!(dealt.len(), cases.len(), "25 of each");
        let all_kill: Vec<_> = (0..many).map(|_| case(Way::Timeout)).collect();
        assert_eq!(deal(&all_kill, &wanted, &fault_free(many + 2), window(1_000, 0)).len(), MOST_ENVIRONMENTS);
    }

    #[test]
    fn a_fault_is_about_one_request_and_the_calls_of_one_function() {
        let fault = case(Way::Error).fault(7, &root(3));
        let cases = fault.cases.clone().unwrap();
        assert_eq!((fault.name.as_str(), fault.by, cases.from, cases.to), ("case-7", By::Call, 1, 2));
        assert_eq!((cases.caller.as_deref(), cases.roots.len()), (Some("place"), 1));
        assert!(cases.has(faults::Identity(&root(3))) && !cases.has(faults::Identity(&root(4))));
        assert_eq!(arrival(3).number, 3);
    }
}
