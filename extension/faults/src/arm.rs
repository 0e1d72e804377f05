//! Treatment and control.

use serde::{Deserialize, Serialize};

/// Which of the two groups an eligible invocation fell into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The fault struck it.
    Treatment,
    /// It was eligible, and no fault struck it.
    Control,
}
