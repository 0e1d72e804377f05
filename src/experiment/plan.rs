//! An experiment as it was checked: every name is known, every number within its bounds. Nothing below this reads text any more.

use std::time::Duration;

use faults::{Fault, Lease};
use reports::Expectation;
use scenarios::Timeline;
use scenarios::invariants::WorldUnderTest;
use scenarios::traffic::{Arrivals, Load};
use stack::Compressed;
use stack::world::users_api::SHAPES;
use stack::world::weaknesses::{Bearer, bearer};

use super::bounds::MoreThanFor;
use super::deployed::Deployed;
use super::file::System;
use super::windows::Windows;

/// A checked experiment.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file's name without `.toml`.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// The file as it was written.
    pub text: String,
    /// The systems to bring up.
    pub systems: Vec<System>,
    /// Functions deployed on AWS, in place of them.
    pub deployed: Option<Deployed>,
    /// What every roll depends on.
    pub seed: u64,
    /// When what happens.
    pub timeline: Timeline,
    /// What is sent.
    pub load: Load,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// Weaknesses to switch on, all known.
    pub weaknesses: Vec<String>,
    /// How long the gateway keeps an authorizer's answer.
    pub authorizer_cache: Duration,
    /// How much faster long waits go.
    pub compressed: Compressed,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// When each is in force.
    pub windows: Windows,
    /// How long a plan holds without being renewed.
    pub lease: Lease,
    /// The aims.
    pub expectations: Vec<Expectation>,
    /// Endpoints whose errors are let go.
    pub any_errors: Vec<String>,
    /// Whether a broken invariant breaks the experiment.
    pub none_broken: bool,
    /// Whether to strike although the baseline broke an invariant.
    pub strike_a_broken_baseline: bool,
    /// When to end early.
    pub stop: Option<MoreThanFor>,
}

impl Plan {
    /// Homes of the thermostats, where that system is up.
    pub fn homes(&self) -> Option<u32> {
        self.load.thermostat.map(|load| load.homes)
    }

    /// Whether the clinic is up.
    pub fn has_clinic(&self) -> bool {
        self.systems.contains(&System::Clinic)
    }

    /// Members who sign in, where the inactive users are up.
    pub fn members(&self) -> Option<u32> {
        self.load.inactive_users.as_ref().map(|load| load.members)
    }

    /// Sign-ins that come at once, as far as environments are started for them: a burst is what else comes in a second.
    pub fn sign_ins_at_once(&self) -> u32 {
        const MOST: f64 = 64.0;
        self.load.inactive_users.as_ref().map_or(0, |load| (load.rate * 1.25).ceil().min(MOST) as u32)
    }

    /// Whether something works without a request that waits for it.
    pub const fn is_asynchronous(&self) -> bool {
        self.load.mail.is_some() || self.load.inactive_users.is_some() || self.load.audit.is_some()
    }

    /// Arrivals a second of all systems together.
    pub fn intended_rate(&self) -> f64 {
        let load = &self.load;
        let rates = [
            load.thermostat.map(|load| load.rate),
            load.clinic.map(|load| load.rate),
            load.mail.as_ref().map(|load| load.rate),
            load.inactive_users.as_ref().map(|load| load.rate),
            load.users_api.map(|load| load.rate * SHAPES.len() as f64),
            load.audit.as_ref().map(|load| load.rate),
        ];
        rates.into_iter().flatten().chain(load.requests.iter().map(|load| load.rate)).sum()
    }

    /// What is under test, as far as what is right depends on it.
    pub fn world(&self) -> WorldUnderTest {
        WorldUnderTest {
            homes: self.homes(),
            clinic: self.has_clinic(),
            authorizer_cache: self.authorizer_cache,
            mail: self.load.mail.is_some(),
            row_life: self.load.inactive_users.as_ref().map(|load| load.life),
            users_api: self.load.users_api.is_some(),
            audit: self.load.audit.is_some(),
            requests: !self.load.requests.is_empty(),
            compressed: self.compressed,
        }
    }

    /// Switches a weakness on, which must be one of these systems'.
    pub fn switch_on(&mut self, weakness: &str) {
        if bearer(weakness) == Some(Bearer::Device)
            && let Some(load) = &mut self.load.thermostat
        {
            load.devices_die_on_reject = true;
        }
        if !self.weaknesses.iter().any(|known| known == weakness) {
            self.weaknesses.push(weakness.to_owned());
        }
    }
}
