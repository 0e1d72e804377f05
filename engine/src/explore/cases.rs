//! The cases, and which request of a wave has which. One case hurts one arrival at one place in one
//! way, or at two; all other arrivals are left alone. The same traffic gives the same cases.

use std::collections::BTreeSet;
use std::time::Duration;

use faults::{By, Cases, Fault, Share, When};
pub use reports::explored::Why;

use super::observed::{Observed, lasting};
use super::place::{AND, Place, Spot};
use super::roots::Arrival;
use super::ways::{Hurt, Way};
use crate::story::Request;

/// The most faults of a wave: a plan has a largest size.
const MOST: usize = 400;

/// The most cases of a wave that take an environment from others, and how far apart they are at least.
const MOST_ENVIRONMENTS: usize = 30;
const ENVIRONMENTS_APART: Duration = Duration::from_millis(200);

/// One way to hurt one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Injection {
    /// The place.
    pub place: Place,
    /// The way.
    pub way: Way,
    /// The fault.
    pub hurt: Hurt,
}

/// What is done to a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What is done.
    pub first: Injection,
    /// What is done besides, if it is a pair.
    pub second: Option<Second>,
}

/// The second injection of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Second {
    /// Why both are done to one request.
    pub why: Why,
    /// What is done.
    pub injection: Injection,
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
    /// The first arrival may begin then.
    pub from: Duration,
    /// The last arrival may begin then.
    pub begin: Duration,
    /// The last request may be due then.
    pub to: Duration,
    /// How far apart the hurt requests are at least.
    pub apart: Duration,
}

impl Case {
    /// One injection.
    pub const fn single(first: Injection) -> Self {
        Self { first, second: None }
    }

    /// What is done, in its order.
    pub fn injections(&self) -> impl Iterator<Item = &Injection> {
        [&self.first].into_iter().chain(self.second.as_ref().map(|second| &second.injection))
    }

    /// The names of its faults in a plan; `number` is its index.
    pub fn fault_names(&self, number: usize) -> impl Iterator<Item = String> {
        let second = self.second.as_ref().map(|_| format!("case-{number}-second"));
        [format!("case-{number}")].into_iter().chain(second)
    }

    /// Its faults, about one request; `number` is its index.
    pub fn faults(&self, number: usize, root: &str) -> Vec<Fault> {
        self.injections().zip(self.fault_names(number)).map(|(injection, name)| injection.fault(name, root)).collect()
    }

    /// Its places by name.
    pub fn places(&self) -> String {
        self.injections().map(|one| one.place.to_string()).collect::<Vec<_>>().join(AND)
    }

    /// Its ways by name.
    pub fn ways(&self) -> String {
        self.injections().map(|one| one.way.title()).collect::<Vec<_>>().join(AND)
    }

    fn takes_an_environment(&self) -> bool {
        self.injections().any(|one| one.way.takes_an_environment())
    }

    /// Whether a request that comes to these spots without a fault can have the case.
    fn fits(&self, spots: &[Spot]) -> bool {
        let comes = |injection: &Injection| spots.contains(&injection.place.spot);
        comes(&self.first) && self.second.as_ref().is_none_or(|second| second.why != Why::Both || comes(&second.injection))
    }
}

impl Injection {
    fn fault(&self, name: String, root: &str) -> Fault {
        let (place, by, from, caller, delivery) = match &self.place.spot {
            Spot::Invocation { function, delivery } => (faults::Place::Function(function.clone()), By::Trace, *delivery, None, 1),
            Spot::Call { function, service, operation, number, delivery } => {
                let place = faults::Place::Service { name: service.clone(), operation: Some(operation.clone()) };
                (place, By::Call, *number, Some(function.clone()), *delivery)
            }
        };
        let to = from.saturating_add(self.hurt.times.saturating_sub(1));
        Fault {
            name,
            place,
            share: Share::ALL,
            when: When::default(),
            at_most: None,
            by,
            cases: Some(Cases { roots: [lasting(root).to_owned()].into(), from, to, caller, delivery }),
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
    let (mut dealt, mut used, mut faults, mut environments) = (Vec::new(), BTreeSet::new(), 0, Vec::new());
    for index in wanted {
        let Some(case) = cases.get(index) else { continue };
        let (more, takes) = (case.injections().count(), case.takes_an_environment());
        if faults + more > MOST || (takes && environments.len() >= MOST_ENVIRONMENTS) {
            continue;
        }
        let is_apart = |due: Duration, dealt: &[Dealt]| {
            let far = |other: Duration, apart: Duration| other.abs_diff(due) >= apart;
            dealt.iter().all(|other| far(other.due, window.apart))
                && (!takes || environments.iter().all(|other| far(*other, ENVIRONMENTS_APART)))
        };
        let found = candidates.iter().find(|candidate| {
            candidate.endpoint == case.first.place.endpoint
                && !used.contains(&candidate.arrival)
                && case.fits(&candidate.spots)
                && is_apart(candidate.due, &dealt)
        });
        if let Some(Candidate { arrival, root, due, .. }) = found {
            used.insert(*arrival);
            faults += more;
            environments.extend(takes.then_some(*due));
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

/// The first request of each arrival to each endpoint within the window, by the time when it is due.
fn candidates(fault_free: &Observed, window: Window) -> Vec<Candidate<'_>> {
    let mut all = Vec::new();
    for (arrival, requests) in fault_free.arrivals() {
        let begun = requests.iter().map(|request| request.due).min();
        if !begun.is_some_and(|begun| (window.from..=window.begin).contains(&begun)) {
            continue;
        }
        for request in firsts(requests).into_iter().filter(|request| request.due <= window.to) {
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

    use super::super::fixtures::{arrival, fault_free, later, request, root, roots, seen};
    use super::*;
    use crate::story::Story;

    fn call(operation: &str) -> Spot {
        Spot::Call { function: "place".into(), service: "dynamodb".into(), operation: operation.into(), number: 1, delivery: 1 }
    }

    fn injection(spot: Spot, way: Way) -> Injection {
        Injection { place: Place { endpoint: "buy place".into(), spot }, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 2 } }
    }

    fn case(way: Way) -> Case {
        Case::single(injection(call("PutItem"), way))
    }

    fn pair(why: Why, second: Spot) -> Case {
        Case { second: Some(Second { why, injection: injection(second, Way::Error) }), ..case(Way::Denied) }
    }

    fn window(to_s: u64, apart_s: u64) -> Window {
        let to = Duration::from_secs(to_s);
        Window { from: Duration::from_secs(1), begin: to, to, apart: Duration::from_secs(apart_s) }
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
        let mut elsewhere = cases[0].clone();
        elsewhere.first.place.endpoint = "buy look".into();
        assert_eq!(deal(&[elsewhere], &[0], &fault_free, window(5, 0)), []);
    }

    #[test]
    fn what_comes_late_in_a_journey_is_hurt_if_its_arrival_begins_in_time() {
        // Arrival 2 begins at 2 s and pays at 15 s.
        let late = 1_000_002;
        let requests = vec![request(root(2), "buy place", 2, 201), request(later(2), "buy pay", 15, 201)];
        let sightings = seen(2, &["o"]).into_iter().chain(seen(late, &["o"])).collect();
        let story = Story { requests, breaches: Vec::new() };
        let fault_free = Observed::of(story, sightings, std::iter::empty(), &BTreeSet::new(), &roots());
        let mut pay = case(Way::Error);
        pay.first.place.endpoint = "buy pay".into();
        let seconds = Duration::from_secs;
        for (begin, to, dealt) in [(5, 20, 1), (5, 14, 0), (1, 20, 0)] {
            let window = Window { from: seconds(1), begin: seconds(begin), to: seconds(to), apart: Duration::ZERO };
            assert_eq!(deal(std::slice::from_ref(&pay), &[0], &fault_free, window).len(), dealt, "{begin} {to}");
        }
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
        let fault = case(Way::Error).faults(7, &root(3)).remove(0);
        let cases = fault.cases.clone().unwrap();
        assert_eq!((fault.name.as_str(), fault.by, cases.from, cases.to), ("case-7", By::Call, 1, 2));
        assert_eq!((cases.caller.as_deref(), cases.roots.len()), (Some("place"), 1));
        assert!(cases.has(faults::Identity(&root(3))) && !cases.has(faults::Identity(&root(4))));
        assert_eq!(arrival(3).number, 3);
    }

    #[test]
    fn a_pair_is_two_faults_about_one_request() {
        let opened = pair(Why::Opened, Spot::Invocation { function: "late".into(), delivery: 2 });
        let faults = opened.faults(7, &root(3));
        let cases: Vec<_> = faults.iter().map(|fault| fault.cases.clone().unwrap()).collect();
        assert_eq!(faults.iter().map(|fault| fault.name.as_str()).collect::<Vec<_>>(), ["case-7", "case-7-second"]);
        assert_eq!((cases[0].roots == cases[1].roots, cases[1].from, cases[1].delivery), (true, 2, 1));
        let again = pair(Why::Again, call("PutItem").in_delivery(2)).faults(1, &root(3)).remove(1).cases.unwrap();
        assert_eq!((again.from, again.delivery), (1, 2));
        assert_eq!(opened.ways(), "denied + error");
        assert_eq!(opened.places(), "buy place: place > dynamodb:PutItem + buy place: late (delivery 2)");
    }

    #[test]
    fn a_request_has_a_pair_if_it_comes_to_both_places_or_the_first_opens_the_second() {
        let fault_free = fault_free(6);
        for (why, second, count) in [
            (Why::Both, call("GetItem"), 0),
            (Why::Both, Spot::Invocation { function: "place".into(), delivery: 1 }, 1),
            (Why::Opened, call("GetItem"), 1),
            (Why::Again, call("PutItem").in_delivery(2), 1),
        ] {
            let dealt = deal(&[pair(why, second.clone())], &[0], &fault_free, window(5, 0));
            assert_eq!(dealt.len(), count, "{why:?} {second}");
        }
    }

    #[test]
    fn a_wave_has_half_as_many_pairs_as_single_faults() {
        let most = u32::try_from(MOST).unwrap();
        let fault_free = fault_free(most);
        let pairs: Vec<_> = (0..MOST).map(|_| pair(Why::Opened, call("GetItem"))).collect();
        let wanted: Vec<_> = (0..MOST).collect();
        assert_eq!(deal(&pairs, &wanted, &fault_free, window(1_000, 0)).len(), MOST / 2);
    }
}
