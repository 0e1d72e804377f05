//! What is sent to each system, as it was written.

use std::collections::BTreeMap;

use faults::{Share, time::Time};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::bounds::{Rate, Size};

/// What is sent to each system.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Load {
    /// To the thermostats.
    #[serde(default)]
    #[schemars(with = "Option<ThermostatLoad>")]
    pub thermostat: Option<Spanned<ThermostatLoad>>,
    /// To the clinic.
    #[serde(default)]
    #[schemars(with = "Option<ClinicLoad>")]
    pub clinic: Option<Spanned<ClinicLoad>>,
    /// Mail.
    #[serde(default)]
    #[schemars(with = "Option<MailLoad>")]
    pub mail: Option<Spanned<MailLoad>>,
    /// Sign-ins of members, and the ends of their records.
    #[serde(default)]
    #[schemars(with = "Option<UsersLoad>")]
    pub inactive_users: Option<Spanned<UsersLoad>>,
    /// To each shape of the users API.
    #[serde(default)]
    #[schemars(with = "Option<UsersApiLoad>")]
    pub users_api: Option<Spanned<UsersApiLoad>>,
    /// Audit records.
    #[serde(default)]
    #[schemars(with = "Option<AuditLoad>")]
    pub audit: Option<Spanned<AuditLoad>>,
    /// Requests to endpoints of functions that are deployed, with `[aws]`; or, without it and without `systems`, to an address of this machine.
    #[serde(default)]
    #[schemars(with = "Vec<RequestLoad>")]
    pub requests: Vec<Spanned<RequestLoad>>,
    /// How arrivals are spread; evenly unless it says otherwise.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// How long a journey may take before arrivals wait for a user, 100ms to 10m: there are rate x this many users, 4000 at the most. 3s or what the scenario's pauses need unless it is given, and on top what the faults add to each request on average.
    #[serde(default)]
    #[schemars(with = "Option<Time>")]
    pub longest_journey: Option<Spanned<Time>>,
}

/// How arrivals are spread.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Evenly.
    #[default]
    Constant,
    /// As a Poisson process.
    Poisson,
}

/// What is sent to the thermostats.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThermostatLoad {
    /// Journeys begun a second.
    pub rate: Rate,
    /// Homes, each with two devices and three users; 1 to 1000.
    #[serde(default = "homes")]
    pub homes: u32,
}

fn homes() -> u32 {
    10
}

/// What is sent to the clinic.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClinicLoad {
    /// Journeys begun a second.
    pub rate: Rate,
}

/// What is sent to each shape of the users API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsersApiLoad {
    /// Journeys begun a second, to each shape.
    pub rate: Rate,
    /// So many more at once to each shape in the middle of the recovery, so that cold starts are seen; none unless it is given, 50 at most.
    #[serde(default)]
    pub burst: u32,
}

/// One request again and again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RequestLoad {
    /// The endpoint's name in reports and aims: one word, a blank, the rest, such as `orders GET /orders/{id}`.
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// `https://` or `http://`, with path and query.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// Requests a second.
    pub rate: Rate,
    /// The HTTP method; `GET` unless it is given.
    #[serde(default)]
    pub method: Method,
    /// Headers. A value that begins with `$` is the environment variable of that name, so that no token need stand in a file.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body; none unless it is given.
    #[serde(default)]
    pub body: String,
    /// The statuses that are right, below 500; `[200]` unless it is given. Any other answer is an error. A request that must be refused says so here: `[401, 403]`.
    #[serde(default = "ok")]
    pub statuses: Vec<u16>,
}

fn ok() -> Vec<u16> {
    vec![200]
}

/// An HTTP method.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    #[default]
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// As HTTP writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Mail; it always comes as a Poisson process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MailLoad {
    /// Mails a second.
    pub rate: Rate,
    /// So many more at once in the middle of the fault phase; none unless it is given.
    #[serde(default)]
    pub burst: u32,
    /// No mail is larger; `40MiB` unless it is given, `16KiB` at least.
    #[serde(default = "largest")]
    pub largest: Size,
    /// The share of mails that cannot be processed; 0.02 unless it is given.
    #[serde(default = "malformed")]
    pub malformed: Share,
    /// The share of mails without a list of readers; 0.1 unless it is given.
    #[serde(default = "without_list")]
    pub without_list: Share,
}

const fn largest() -> Size {
    Size(40 << 20)
}

fn malformed() -> Share {
    Share::try_from(0.02).unwrap_or(Share::ALL)
}

fn without_list() -> Share {
    Share::try_from(0.1).unwrap_or(Share::ALL)
}

/// Sign-ins of members, and the ends of their records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsersLoad {
    /// Sign-ins a second.
    pub rate: Rate,
    /// Members who sign in; 1 to 20000, 100 unless it is given.
    #[serde(default = "members")]
    pub members: u32,
    /// Groups of further members whose records end together in the fault phase, by their sizes; 5000 in all at the most.
    #[serde(default)]
    pub cohorts: Vec<u32>,
    /// Members whose records end in the fault phase and who sign in a moment later; 1000 at the most.
    #[serde(default)]
    pub racers: u32,
}

const fn members() -> u32 {
    100
}

/// Audit records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AuditLoad {
    /// Records a second.
    pub rate: Rate,
    /// No body is larger; `6MiB` unless it is given, `16KiB` at least. The very largest are cut to what goes into one invocation.
    #[serde(default = "largest_record")]
    pub largest: Size,
    /// The share of requests that send a record again that was sent a moment before; 0.05 unless it is given.
    #[serde(default = "repeats")]
    pub repeats: Share,
    /// The share of records with a date that must be refused; 0.03 unless it is given.
    #[serde(default = "bad_dates")]
    pub bad_dates: Share,
    /// The share of records whose content is plain text and no base64; 0.02 unless it is given.
    #[serde(default = "not_base64")]
    pub not_base64: Share,
    /// The share of records with a wrong key or none; 0.01 unless it is given.
    #[serde(default = "bad_keys")]
    pub bad_keys: Share,
}

const fn largest_record() -> Size {
    Size(6 << 20)
}

fn repeats() -> Share {
    Share::try_from(0.05).unwrap_or(Share::ALL)
}

fn bad_dates() -> Share {
    Share::try_from(0.03).unwrap_or(Share::ALL)
}

fn not_base64() -> Share {
    Share::try_from(0.02).unwrap_or(Share::ALL)
}

fn bad_keys() -> Share {
    Share::try_from(0.01).unwrap_or(Share::ALL)
}
