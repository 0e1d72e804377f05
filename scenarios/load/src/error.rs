//! Why traffic could not be sent.

/// Why traffic could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// Users could not sign in, devices could not connect.
    #[error("the traffic could not be prepared: {0}")]
    Preparation(String),
    /// goose refused, or the generator panicked.
    #[error("goose stopped: {0}")]
    Goose(String),
    /// goose could not write its report.
    #[error("`{path}` cannot be written; choose a writable folder with free space")]
    Unwritable {
        /// The report.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// No more files can be opened: for a connection, or for the timer on which a user waits for its next arrival.
    #[error(
        "the load generator cannot open more connections or timers; raise the limit on open files (`ulimit -n`) or lower `longest-journey`"
    )]
    OpenFiles(#[source] std::io::Error),
}
