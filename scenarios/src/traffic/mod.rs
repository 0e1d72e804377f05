//! Scenarios on goose and devices on MQTT, sent at fixed arrival rates.

pub(crate) mod books;
pub(crate) mod chance;
pub(crate) mod crew;
pub(crate) mod deck;
pub(crate) mod goose_users;
pub(crate) mod http;
pub(crate) mod mqtt;
pub mod open_model;
pub mod plain;
pub mod preparation;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod sender;
pub(crate) mod shares;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod under_way;
pub(crate) mod voice;

use std::sync::Arc;
use std::time::Duration;

use reports::measurements::Generator;
use run_folder::Addresses;

use crate::Timeline;
use crate::systems::{Setup, System, SystemLoad};

pub use crew::JourneyTime;
pub use goose_users::{PATIENCE, keep_signals};
pub use requests::Endpoint;
pub use schedule::Schedule;
pub use under_way::{Traffic, start};

/// What is sent, checked.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// To each system that is up, in the order of their list.
    pub systems: Vec<Arc<dyn SystemLoad>>,
    /// Requests to endpoints that are no part of the stack here.
    pub requests: Vec<RequestLoad>,
}

impl Load {
    /// What is sent to a system.
    pub fn of(&self, system: System) -> Option<&dyn SystemLoad> {
        self.systems.iter().map(AsRef::as_ref).find(|load| load.system().name() == system.name())
    }

    /// Arrivals a second of all together.
    pub fn arrivals(&self) -> f64 {
        let systems = self.systems.iter().map(|load| load.arrivals());
        systems.chain(self.requests.iter().map(|load| load.rate)).sum()
    }
}

/// One request again and again, to an endpoint that somebody else runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestLoad {
    /// The endpoint's name in reports, such as `orders GET /orders/{id}`: a word, a blank, the rest.
    pub of: &'static str,
    /// Where.
    pub endpoint: Endpoint,
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

/// How arrivals are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    #[default]
    Constant,
    /// As a Poisson process from the seed.
    Poisson,
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
    pub goose_report: Option<std::path::PathBuf>,
    /// How long journeys take, from which the number of users follows.
    pub journeys: JourneyTime,
}

/// A moment of the traffic, for the progress line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Glance {
    /// Requests sent so far, warm-up included.
    pub sent: u64,
    /// Of these, answered as they call right.
    pub answered: u64,
    /// Of these, answered otherwise, failed or timed out.
    pub failed: u64,
    /// Due more than 5 s ago and still without an answer, sent or not.
    pub overdue: u64,
    /// Offset of the traffic's clock.
    pub offset: Duration,
}

/// Why traffic could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// Users could not sign in, devices could not connect.
    #[error("the traffic could not be prepared: {0}")]
    Preparation(String),
    /// goose refused, or the generator panicked.
    #[error("goose stopped: {0}")]
    Goose(String),
    /// goose could not write its report.
    #[error("`{path}` cannot be written; choose a writable folder with free space")]
    Unwritable {
        /// The report.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// No more files can be opened for connections.
    #[error("the load generator cannot open more connections; raise the limit on open files (`ulimit -n`) or lower `longest-journey`")]
    Connections(#[source] std::io::Error),
    /// A user cannot wait for its next arrival.
    #[error("a user of the load generator has no timer; raise the limit on open files (`ulimit -n`) or lower `longest-journey`")]
    Timer(#[source] std::io::Error),
}

/// What the generator knows at the end, beside the events.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its health.
    pub generator: Generator,
    /// Requests due in the recorded phases, and of these those that were sent.
    pub planned: u64,
    /// Sent in the recorded phases.
    pub sent: u64,
    /// Of these, sent late because every user of their system was busy, most of them waiting for an answer. The generator's lag leaves that wait out.
    pub waited_for_users: u64,
    /// The longest such wait.
    pub longest_wait: Duration,
}

/// How late requests were sent so far in the recorded phases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagGlance {
    /// Median.
    pub p50: Duration,
    /// 99th percentile.
    pub p99: Duration,
}

impl LagGlance {
    fn of(spread: &books::Spread) -> Self {
        Self { p50: spread.quantile(0.5), p99: spread.quantile(0.99) }
    }
}
