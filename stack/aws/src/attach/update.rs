//! One change of a function's configuration.

use crate::secret::Variables;

/// One `UpdateFunctionConfiguration`: all layers and variables, conditional on this revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// All layers, in order.
    pub layers: Vec<String>,
    /// All variables.
    pub variables: Variables,
    /// The revision that it was decided on.
    pub revision: Option<String>,
}
