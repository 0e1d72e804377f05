//! Its table under `[load]` in an experiment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Rate;

/// What is sent to the thermostats.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThermostatLoad {
    /// Journeys begun a second.
    pub rate: Rate,
    /// Homes, each with two devices and three users; 1 to 1000.
    #[serde(default = "ten")]
    pub homes: u32,
}

const fn ten() -> u32 {
    10
}
