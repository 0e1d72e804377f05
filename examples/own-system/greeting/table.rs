//! Its table under `[load]` in an experiment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Rate;

/// What is sent to the greeting: its table under `[load]`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GreetingLoad {
    /// Requests a second.
    pub rate: Rate,
}
