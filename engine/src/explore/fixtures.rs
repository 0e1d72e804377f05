//! Requests and what followed from them, for the tests: orders that a function `place` stores.

use std::time::Duration;

use reports::Outcome;
use run_folder::{Seen, Sighting};

use super::observed::Observed;
use super::roots::{Arrival, Roots};
use crate::story::{Request, Story};

/// A root whose lasting part ends with this number.
pub fn root(n: u32) -> String {
    format!("1-00000000-{n:024x}")
}

pub fn sighting(at_ms: u64, root: Option<String>, seen: Seen) -> Sighting {
    Sighting { at_us: at_ms * 1_000, root, seen }
}

pub fn invoked(function: &str, id: &str, delivery: u32) -> Seen {
    Seen::Invoked { function: function.into(), id: id.into(), delivery }
}

pub fn returned(function: &str, id: &str) -> Seen {
    Seen::Returned { function: function.into(), id: id.into(), failed: false }
}

pub fn called(function: &str, operation: &str) -> Seen {
    called_in(1, function, operation)
}

/// A call that the function makes during this delivery.
pub fn called_in(delivery: u32, function: &str, operation: &str) -> Seen {
    Seen::Called { function: Some(function.into()), service: "dynamodb".into(), operation: operation.into(), delivery }
}

pub fn row(key: &str) -> Seen {
    Seen::RowWritten { table: "Orders".into(), key: key.into(), expires: None, flags: Vec::new() }
}

pub fn arrival(number: u32) -> Arrival {
    Arrival { schedule: 100, number: number.into() }
}

/// The root of the second request of an arrival.
pub fn later(number: u32) -> String {
    root(number + 1_000_000)
}

/// The arrivals of those requests.
pub fn roots() -> Roots {
    let mut roots = Roots::default();
    for number in 0..500 {
        roots.insert(&root(number), arrival(number));
        roots.insert(&later(number), arrival(number));
    }
    roots
}

pub fn request(root: String, endpoint: &'static str, due_s: u32, status: u16) -> Request {
    let outcome = if status < 400 { Outcome::Answered } else { Outcome::Failed };
    Request { root, endpoint, due: Duration::from_secs(due_s.into()), took: Duration::from_millis(10), outcome, status: Some(status) }
}

/// What an order leaves in the stack: a row written by `place`.
pub fn seen(number: u32, rows: &[&str]) -> Vec<Sighting> {
    let of = |seen: Seen| sighting(u64::from(number) * 1_000, Some(root(number)), seen);
    let id = number.to_string();
    let mut all = vec![of(invoked("place", &id, 1)), of(called("place", "PutItem"))];
    all.extend(rows.iter().map(|key| of(row(&format!("{key}-{number}")))));
    all.push(sighting(u64::from(number) * 1_000 + 9, None, returned("place", &id)));
    all
}

pub fn fault_free(arrivals: u32) -> Observed {
    let requests = (0..arrivals).map(|number| request(root(number), "buy place", number, 201)).collect();
    let sightings = (0..arrivals).flat_map(|number| seen(number, &["o"])).collect();
    Observed::of(Story { requests, breaches: Vec::new() }, sightings, std::iter::empty(), &Default::default(), &roots())
}
