//! Its table under `[load]` in an experiment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Rate;

/// Sign-ins of members, and the ends of their records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsersLoad {
    /// Sign-ins a second.
    pub rate: Rate,
    /// Members who sign in; 1 to 20000, 100 unless it is given.
    #[serde(default = "hundred")]
    pub members: u32,
    /// Groups of further members whose records end together in the fault phase, by their sizes; 5000 in all at the most.
    #[serde(default)]
    pub cohorts: Vec<u32>,
    /// Members whose records end in the fault phase and who sign in a moment later; 1000 at the most.
    #[serde(default)]
    pub racers: u32,
}

const fn hundred() -> u32 {
    100
}
