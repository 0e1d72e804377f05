//! Cold and warm.

use serde::{Deserialize, Serialize};

/// Whether the execution environment was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Start {
    /// The environment's first invocation.
    Cold,
    /// A later one.
    Warm,
}
