//! Why a state failed.

use std::sync::Arc;

use crate::error_equals::RUNTIME;

/// An error and its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error's name.
    pub error: Arc<str>,
    /// Its cause.
    pub cause: Arc<str>,
}

impl Failure {
    /// An error.
    pub fn new(error: &str, cause: impl AsRef<str>) -> Self {
        Self { error: Arc::from(error), cause: Arc::from(cause.as_ref()) }
    }

    /// The same, of a state.
    pub(crate) fn of_state(self, state: &str) -> Self {
        Self::new(&self.error, format!("An error occurred while executing the state '{state}': {}", self.cause))
    }

    /// An error that no state can handle.
    pub(crate) fn runtime(state: &str, why: &str) -> Self {
        Self::new(RUNTIME, why).of_state(state)
    }
}
