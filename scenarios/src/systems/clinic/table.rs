//! Its table under `[load]` in an experiment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Rate;

/// What is sent to the clinic.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClinicLoad {
    /// Journeys begun a second.
    pub rate: Rate,
}
