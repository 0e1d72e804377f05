//! Its table under `[load]` in an experiment.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::Rate;

/// What is sent to each shape of the users API.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct UsersApiLoad {
    /// Journeys begun a second, to each shape.
    pub rate: Rate,
    /// So many more at once to each shape in the middle of the recovery, so that cold starts are seen; none unless it is given, 50 at most.
    #[serde(default)]
    pub burst: u32,
}
