//! What is to be sent, where, and when.

use std::path::PathBuf;
use std::sync::Arc;

use load::{Arrivals, Endpoint, Journey, JourneyTime, Timeline, TrafficError};
use run_folder::Addresses;
use run_folder::addresses::{Api, Pool};

use crate::invariants::cedar::OracleError;
use crate::invariants::r1_right_statuses::right_statuses;
use crate::invariants::{Invariant, Judge};
use crate::systems::load::{Setup, SystemLoad};

/// What is sent, checked.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// To each system that is up, in the order of their list.
    pub systems: Vec<Arc<dyn SystemLoad>>,
    /// Requests to endpoints that are no part of the stack here.
    pub requests: Vec<RequestLoad>,
}

impl Load {
    /// What is sent to the system of this name.
    pub fn of(&self, system: &str) -> Option<&dyn SystemLoad> {
        self.systems.iter().map(AsRef::as_ref).find(|load| load.system().name() == system)
    }

    /// Arrivals a second of all together.
    pub fn arrivals(&self) -> f64 {
        let systems = self.systems.iter().map(|load| load.arrivals());
        systems.chain(self.requests.iter().map(|load| load.rate)).sum()
    }

    /// Every rule about what is sent, in the order of their ids.
    ///
    /// # Errors
    /// Where the policies cannot be read: without them nothing can be called right.
    pub fn rules(&self, setup: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        let mut rules = Vec::new();
        for system in &self.systems {
            rules.extend(system.rules(setup)?);
        }
        if !self.requests.is_empty() {
            rules.push(Box::new(Judge::new((), vec![right_statuses()])));
        }
        Ok(rules)
    }
}

/// One request again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLoad {
    /// The endpoint's name in reports, such as `orders GET /orders/{id}`: a word, a blank, the rest.
    pub of: &'static str,
    /// Where.
    pub to: To,
    /// The HTTP method.
    pub method: &'static str,
    /// Headers. Their values are in no report.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// Requests a second.
    pub rate: f64,
    /// The statuses that are right. Any other is a failure, and below 500 it breaks R-1 too, but for refusals by a fault.
    pub statuses: Vec<u16>,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To an address that the file names.
    Elsewhere(Endpoint),
    /// To an API of the stack, whose address is known once it is up.
    Api {
        /// Its name in the template.
        name: String,
        /// Path and query, without the stage.
        path: String,
    },
}

/// What to send, where, and when.
#[derive(Debug, Clone)]
pub struct Order {
    /// What.
    pub load: Load,
    /// How the stack is set up.
    pub setup: Setup,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// When.
    pub timeline: Timeline,
    /// What arrivals, journeys and trace ids depend on.
    pub seed: u64,
    /// Where.
    pub addresses: Addresses,
    /// Where goose's own report goes, where it is wanted.
    pub goose_report: Option<PathBuf>,
    /// How long journeys take, from which the number of users follows.
    pub journeys: JourneyTime,
}

impl Order {
    /// The API called `name` in the template.
    ///
    /// # Errors
    /// If the stack has none of that name.
    pub(crate) fn api(&self, name: &str) -> Result<&Api, TrafficError> {
        self.addresses.api(name).ok_or_else(|| TrafficError::Preparation(format!("the stack has no API `{name}`")))
    }

    /// The user pool called `name`.
    ///
    /// # Errors
    /// If the stack has none of that name.
    pub(crate) fn pool(&self, name: &str) -> Result<&Pool, TrafficError> {
        self.addresses.pool(name).ok_or_else(|| TrafficError::Preparation(format!("the stack has no user pool `{name}`")))
    }

    /// The users needed at `rate` arrivals a second whose journeys take up to `journey`.
    pub(crate) fn users(&self, rate: f64, journey: Journey) -> usize {
        self.journeys.users(rate, journey)
    }
}
