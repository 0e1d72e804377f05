//! Why a run could not be carried out.

use load::TrafficError;
use protocol::Left;
use scenarios::invariants::cedar::OracleError;

use crate::{Asked, TargetError};

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The stack.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The traffic.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// The oracles.
    #[error("the oracles cannot decide")]
    Oracle(#[from] OracleError),
    /// A file.
    #[error("the run's folder cannot be written; choose a writable folder with free space")]
    Folder(#[from] std::io::Error),
    /// A signal came before the first request was due.
    #[error("stopped as asked")]
    Asked(Asked),
    /// It could not be run, and something of it is left.
    #[error("left behind: {}; `{}` takes it back", .left.what.join(", "), .left.command)]
    Left {
        /// What is left.
        left: Left,
        /// Why it could not be run.
        #[source]
        cause: Box<RunError>,
    },
}
