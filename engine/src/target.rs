//! What an experiment needs from its target.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;
use run_folder::{Addresses, Health, Sighting};

/// Why a target failed.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// An operation on a file or a process failed.
    #[error("{what}")]
    Io {
        /// What was tried, and the fix.
        what: String,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
    /// The stack did not start, or ended early.
    #[error("{0}")]
    Down(String),
}

/// How long before the faults should be in force the plan is written: the extension polls every 150
/// ms, and a transfer may take a second.
pub const LEAD: Duration = Duration::from_millis(1200);

/// A target that can be struck and observed.
#[async_trait]
pub trait Target: Send {
    /// Starts the stack with the extension attached and idle.
    async fn deploy(&mut self) -> Result<Addresses, TargetError>;
    /// Puts a plan in force, or renews its lease; returns once the plan is handed over; it takes
    /// effect within a second.
    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError>;
    /// The ledger's entries since the last call.
    async fn observe(&mut self) -> Result<Vec<Entry>, TargetError>;
    /// The parts of the ledgers that could not be read so far, each in a sentence.
    fn gaps(&self) -> Vec<String> {
        Vec::new()
    }
    /// The services' sightings since the last call.
    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError>;
    /// The log of a function, if it is on this machine.
    fn log(&self, _function: &str) -> Option<PathBuf> {
        None
    }
    /// The platform's counts.
    fn health(&mut self) -> Result<Health, TargetError>;
    /// How long after an answer the ledgers' entries about it may still come.
    fn ledger_lag(&self) -> Duration;
    /// How long before the faults should be in force they must be struck.
    fn lead(&self) -> Duration {
        LEAD
    }
    /// Whether a plan that injects nothing can be in force during the baseline, so that the ledgers
    /// report which invocations the faults would be about.
    fn rehearses(&self) -> bool {
        true
    }
    /// Why the faults were stopped from outside.
    fn ended(&mut self) -> Option<String> {
        None
    }
    /// Sentences for the report, after everything is restored.
    fn story(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Restores everything, and returns what could not be restored.
    async fn restore(&mut self) -> Option<Left>;
}
