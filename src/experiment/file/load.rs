//! What is sent to each system, as it was written.

use faults::Share;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::experiment::bounds::{Rate, Size};

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
    /// How arrivals are spread; evenly unless it says otherwise.
    #[serde(default)]
    pub arrivals: Arrivals,
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
