//! Scenarios on goose and devices on MQTT, sent at fixed arrival rates.

pub(crate) mod books;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod crew;
pub(crate) mod deck;
pub(crate) mod goose_users;
pub(crate) mod http;
pub(crate) mod mqtt;
pub mod open_model;
pub mod per_arrival;
pub mod plain;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod sender;
pub(crate) mod shares;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod under_way;
pub(crate) mod voice;

use std::time::Duration;

use reports::measurements::Generator;
use run_folder::Addresses;

use crate::Timeline;

pub use crate::systems::inactive_users::traffic::members::{Members, read as members};
pub use crate::systems::thermostat::traffic::shadows::Shadow;
pub use crew::JourneyTime;
pub use goose_users::{PATIENCE, keep_signals};
pub use requests::Endpoint;
pub use schedule::Schedule;
pub use under_way::{Traffic, start};

/// What is sent to each system; a system that is not there is left alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// The thermostats.
    pub thermostat: Option<ThermostatLoad>,
    /// The clinic.
    pub clinic: Option<ClinicLoad>,
    /// The mail.
    pub mail: Option<MailLoad>,
    /// The sign-ins.
    pub inactive_users: Option<UsersLoad>,
    /// The users API.
    pub users_api: Option<UsersApiLoad>,
    /// The audit records.
    pub audit: Option<AuditLoad>,
    /// Requests to endpoints that are no part of the stack here.
    pub requests: Vec<RequestLoad>,
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

/// Load on the thermostats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThermostatLoad {
    /// Journeys begun a second.
    pub rate: f64,
    /// Homes; each has two devices and three users.
    pub homes: u32,
    /// Whether the devices end on a rejected update, as the published ones do.
    pub devices_die_on_reject: bool,
}

/// Load on the clinic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClinicLoad {
    /// Journeys begun a second.
    pub rate: f64,
}

/// Load on the users API.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UsersApiLoad {
    /// Journeys begun a second, to each shape.
    pub rate: f64,
    /// So many more at once to each shape in the middle of the recovery, of which no p99 is taken; 0 is no burst.
    pub burst: u32,
}

/// Load of mail. Mails arrive as a Poisson process, whatever the other systems' arrivals are.
#[derive(Debug, Clone, PartialEq)]
pub struct MailLoad {
    /// Mails a second.
    pub rate: f64,
    /// So many at once in the middle of the fault phase; 0 is no burst.
    pub burst: u32,
    /// No mail is larger than this, in bytes; sizes above are cut to it. At least 10,000: a list of 51 readers takes half of that.
    pub largest: u64,
    /// The share of mails that are malformed on purpose.
    pub malformed: f64,
    /// The share of mails without a list of readers.
    pub without_list: f64,
}

/// Load of audit records.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditLoad {
    /// Records a second.
    pub rate: f64,
    /// No body is larger than this, in bytes; sizes above are cut to it, and to what goes into one invocation.
    pub largest: u64,
    /// The share of requests that send a record again that was sent a moment before.
    pub repeats: f64,
    /// The share of records with a date that must be refused.
    pub bad_dates: f64,
    /// The share of records whose content is plain text.
    pub not_base64: f64,
    /// The share of records with a wrong key or none.
    pub bad_keys: f64,
}

/// Load of sign-ins and expiries.
#[derive(Debug, Clone, PartialEq)]
pub struct UsersLoad {
    /// Sign-ins a second, the member drawn by Zipf's law, 1 in 10 of them a refresh.
    pub rate: f64,
    /// Members of the pool.
    pub members: u32,
    /// Sizes of groups of further members whose rows end together in the fault phase, at equal steps in it.
    pub cohorts: Vec<u32>,
    /// Members whose rows end in the fault phase and who sign in again a moment later.
    pub racers: u32,
    /// How long a row lives here after a sign-in: the threshold in compressed time.
    pub life: Duration,
}

impl UsersLoad {
    /// How many members the pool must have in all: those who sign in, those of the cohorts, and some for what is done by hand. Those that are
    /// not there are made before the traffic begins.
    pub fn everyone(&self) -> u32 {
        crate::systems::inactive_users::traffic::members(self)
    }
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
