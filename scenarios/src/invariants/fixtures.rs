//! Fixtures for the tests of the rules.

use std::sync::Arc;
use std::time::Duration;

use crate::journeys::{Around, Body, Expected, Journey, Step, Text, Times, To, ToldOf};
use crate::systems::clinic::{Pool, User};
use crate::systems::{Setup, System, thermostat};
use crate::traffic::order::Load;
use faults::Place;
use reports::{Outcome, Phase};
use run_folder::{Compressed, Seen};
use serde_json::json;

use super::cedar::ThermostatOracle;
use super::{Book, Breach, Invariant, Judge, Quiet, Rule};
use crate::Event;
use crate::exchange::{Asked, Caller, ClinicToken, Exchange, Said, ShadowChange, ThermostatRequest, ThermostatState};

/// A load for every system, and a request.
pub(crate) fn load() -> Load {
    let homes = |system| if system == System::Thermostat { json!({"rate": "1/s", "homes": 2}) } else { json!({"rate": "1/s"}) };
    let journey = Journey {
        name: "shop",
        rate: 1.0,
        times: Times::Steady,
        to: To::Elsewhere("http://127.0.0.1:1/".parse().unwrap()),
        rows: Arc::default(),
        steps: vec![Step {
            of: "shop GET /",
            method: "GET",
            path: Text::literal("/"),
            headers: Vec::new(),
            body: Body::Empty,
            expected: Expected { statuses: vec![200], json: Vec::new() },
            keep: Vec::new(),
            retry: None,
            pause: Duration::ZERO,
            told: ToldOf::default(),
            first_byte: None,
        }],
        around: Around::default(),
    };
    Load { systems: System::ALL.map(|system| system.read_load(homes(system)).unwrap()).into(), journeys: vec![journey], ..Load::default() }
}

/// A row lives for 30 s.
pub(crate) fn setup() -> Setup {
    Setup { authorizer_cache: s(2.0), compressed: Compressed { queues: 1, expiry: 86_400 }, ..Setup::default() }
}

/// All rules.
pub(crate) fn rules() -> Vec<Box<dyn Invariant>> {
    load().rules(&setup()).unwrap()
}

pub(crate) fn thermostat() -> ThermostatOracle {
    ThermostatOracle::new(2, &thermostat::policies(2)).unwrap()
}

pub(crate) fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) struct Ask;

impl Ask {
    pub(crate) fn set(user: &str, device: &str, temperature: i64) -> Asked {
        Self::as_caller(Caller::Valid(user.into()), device, temperature)
    }

    pub(crate) fn as_caller(caller: Caller, device: &str, temperature: i64) -> Asked {
        let request = ThermostatRequest::Set { device: device.into(), time: Some(930), temperature, power: true, mode: "Auto" };
        Asked::Thermostat { caller, request }
    }

    pub(crate) fn clinic(pool: Pool, name: &'static str, id: u64, appointment: &str) -> Asked {
        Asked::Clinic {
            token: ClinicToken::Valid { user: User { pool, name }, id },
            client_type: Some(pool.client_type()),
            appointment: appointment.into(),
        }
    }
}

pub(crate) fn exchange(asked: Asked, sent: f64, done: f64, status: u16) -> Exchange {
    let (method, path) = match &asked {
        Asked::Thermostat { request: ThermostatRequest::Set { device, .. }, .. } => ("POST", format!("/control/{device}")),
        Asked::Clinic { appointment, .. } => ("GET", format!("/appointment/{appointment}")),
        _ => ("GET", "/items".to_owned()),
    };
    Exchange {
        endpoint: "test",
        root: format!("1-{sent}"),
        phase: Some(Phase::Fault),
        due: s(sent),
        sent: s(sent),
        done: s(done),
        outcome: if status == 0 { Outcome::TimedOut } else { Outcome::Answered },
        status: (status != 0).then_some(status),
        method,
        path,
        asked,
        said: Said::default(),
        missed: None,
        told: None,
        began: None,
        struck: Vec::new(),
    }
}

pub(crate) fn struck(mut exchange: Exchange) -> Exchange {
    exchange.struck.push(("outage".into(), Place::Service { name: "verifiedpermissions".into(), operation: None }));
    exchange
}

pub(crate) fn state(temperature: i64, mode: Option<&str>) -> ThermostatState {
    ThermostatState { temperature: Some(temperature), power: Some(true), mode: mode.map(str::to_owned) }
}

pub(crate) fn change(at: f64, version: i64, temperature: i64, mode: Option<&str>) -> ShadowChange {
    ShadowChange { thing: "Thermostat1".into(), at: s(at), version, desired: Some(state(temperature, mode)), reported: None }
}

/// An event that only moves the clock.
pub(crate) fn tick(at: f64) -> Event {
    Event::Saw { at: s(at), seen: Seen::Alarm { name: "age".into(), state: "OK".into() } }
}

/// The ids of the rules.
pub(crate) fn ids(all: &[Box<dyn Invariant>]) -> Vec<&'static str> {
    all.iter().flat_map(|invariant| invariant.rules()).map(|(id, _)| id).collect()
}

/// What each rule finds in the events and in the quiet state after them: its id, its breaches, and
/// how many checks it made.
pub(crate) fn judged(invariant: &mut dyn Invariant, events: &[Event], quiet: &Quiet) -> Vec<(&'static str, Vec<Breach>, u64)> {
    let mut all: Vec<_> = invariant.rules().into_iter().map(|(id, _)| (id, Vec::new(), 0)).collect();
    let found: Vec<_> = events.iter().map(|event| invariant.see(event).0).collect();
    for found in found.into_iter().chain([invariant.settled(quiet)]) {
        for ((_, breaches, checks), (more, count)) in all.iter_mut().zip(found) {
            breaches.extend(more);
            *checks += count;
        }
    }
    all
}

/// The same for all rules.
pub(crate) fn judged_by_all(events: &[Event], quiet: &Quiet) -> Vec<(&'static str, Vec<Breach>, u64)> {
    rules().iter_mut().flat_map(|invariant| judged(invariant.as_mut(), events, quiet)).collect()
}

/// How many breaches a rule finds, and how many checks it made.
pub(crate) fn broken_at<B: Book + Default>(rule: Rule<B>, events: &[Event], quiet: &Quiet) -> (usize, u64) {
    let (_, breaches, checks) = judged(&mut Judge::new(B::default(), vec![rule]), events, quiet).remove(0);
    (breaches.len(), checks)
}

/// The same, with the quiet state long after the last event.
pub(crate) fn broken<B: Book + Default>(rule: Rule<B>, events: &[Event]) -> (usize, u64) {
    broken_at(rule, events, &Quiet { at: s(600.0), ..Quiet::default() })
}

/// The ids of the broken rules, out of all rules.
pub(crate) fn named(events: &[Event], quiet: &Quiet) -> Vec<&'static str> {
    judged_by_all(events, quiet).into_iter().filter(|(_, breaches, _)| !breaches.is_empty()).map(|(id, ..)| id).collect()
}

/// How many checks each rule made; fails if any rule is broken.
pub(crate) fn checked(events: &[Event], quiet: &Quiet) -> Vec<(&'static str, u64)> {
    let checks = |(id, breaches, checks): (&'static str, Vec<Breach>, u64)| {
        assert_eq!(breaches, [], "{id}");
        (id, checks)
    };
    judged_by_all(events, quiet).into_iter().map(checks).collect()
}
