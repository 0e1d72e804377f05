//! Runs on deployed functions: struck by this program, or by FIS.

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;

mod arming;
mod attached;
mod cleaned;
pub mod deployed;
pub mod driven;
mod ledgers;
mod story;

/// Why something failed, with its causes, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// Strikes and calms deployed functions, and restores everything.
#[async_trait]
pub trait Driver: Send {
    /// Attaches to every function, or prepares the experiment that will.
    async fn deploy(&mut self) -> Result<(), Failed>;
    /// Puts a plan in force, or renews its lease.
    async fn strike(&mut self, plan: &Plan) -> Result<(), Failed>;
    /// The ledgers' entries since the last call.
    fn observe(&mut self) -> Result<Vec<Entry>, Failed>;
    /// The parts of the ledgers that could not be read so far, each in a sentence.
    fn gaps(&self) -> Vec<String>;
    /// Whether the faults can be kept in force.
    fn health(&self) -> Result<(), Failed>;
    /// Why the faults were stopped from outside.
    fn ended(&self) -> Option<String>;
    /// Sentences for the report, after everything is restored.
    fn story(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Restores everything, and returns what could not be restored.
    async fn restore(&mut self) -> Option<Left>;
}
