//! What an experiment needs of the thing it is made on.

use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;
use run_folder::{Addresses, Health, Sighting};

/// Why a target did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// A file or a process did not obey.
    #[error("{what}")]
    Io {
        /// What was tried, and what would do.
        what: String,
        /// Why it failed.
        #[source]
        cause: std::io::Error,
    },
    /// The stack did not come up, or went away.
    #[error("{0}")]
    Down(String),
}

/// The extension polls its plan every 150 ms, and a plan on the wire would take a second.
pub const LEAD: Duration = Duration::from_millis(1200);

/// A stack that can be struck and watched.
#[async_trait]
pub trait Target: Send {
    /// Brings the stack up with the extension attached and idle.
    async fn deploy(&mut self) -> Result<Addresses, TargetError>;
    /// Puts a plan in force, or renews its lease; returns once it is handed over, its effect follows within a second.
    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError>;
    /// The ledger's entries since the last call.
    async fn observe(&mut self) -> Result<Vec<Entry>, TargetError>;
    /// What of the ledgers could not be read, as things stand: each in a sentence.
    fn gaps(&self) -> Vec<String> {
        Vec::new()
    }
    /// What the services saw happen since the last call.
    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError>;
    /// What the platform says of itself.
    fn health(&mut self) -> Result<Health, TargetError>;
    /// How long after an answer the ledgers' entries about it may still come.
    fn ledger_lag(&self) -> Duration;
    /// How long before the faults are to be in force they must be struck.
    fn lead(&self) -> Duration {
        LEAD
    }
    /// Whether a plan that strikes nobody can be put in force in the baseline, so that the ledgers tell which invocations the faults would be about.
    fn rehearses(&self) -> bool {
        true
    }
    /// Why somebody else has stopped the faults.
    fn ended(&mut self) -> Option<String> {
        None
    }
    /// What a report is to say of it, once everything is taken back.
    fn story(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Takes everything back, and says what could not be.
    async fn restore(&mut self) -> Option<Left>;
}
