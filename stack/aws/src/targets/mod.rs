//! Runs on deployed functions: struck by this program, or by FIS.

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::Left;

mod arming;
mod attached;
pub mod deployed;
pub mod driven;
mod ledgers;
mod story;

/// Why something was not done, with its causes, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

/// What strikes and calms deployed functions, and takes everything back.
#[async_trait]
pub trait Driver: Send {
    /// Attaches to every function, or prepares what will.
    async fn deploy(&mut self) -> Result<(), Failed>;
    /// Puts a plan in force, or renews its lease.
    async fn strike(&mut self, plan: &Plan) -> Result<(), Failed>;
    /// The ledgers' entries since the last call.
    fn observe(&mut self) -> Result<Vec<Entry>, Failed>;
    /// What of the ledgers could not be read, as things stand: each in a sentence.
    fn gaps(&self) -> Vec<String>;
    /// Whether the faults can be kept in force.
    fn health(&self) -> Result<(), Failed>;
    /// Why the faults were stopped from outside.
    fn ended(&self) -> Option<String>;
    /// What a report is to say, once everything is taken back.
    fn story(&mut self) -> Vec<String> {
        Vec::new()
    }
    /// Takes everything back, and says what could not be.
    async fn restore(&mut self) -> Option<Left>;
}
