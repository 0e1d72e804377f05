//! What was found in the logs of functions that must not be there. It judges nothing.

use crate::traffic::tokens::Carrier;

/// What was found in the logs of functions, once all is at rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leaks {
    /// How many tokens and secrets were looked for, in how many logs: the product.
    pub looked: u64,
    /// What was found.
    pub found: Vec<Leak>,
}

/// A token or secret in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// The function.
    pub function: String,
    /// What it is; never its value.
    pub what: String,
    /// The request that carried it, if it is a token.
    pub carrier: Option<Carrier>,
}
