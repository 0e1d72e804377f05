//! How a request may end without an answer.

use std::time::Duration;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The connection could not be made.
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    /// The connection ended in mid-request.
    #[error("the connection failed: {0}")]
    Connection(hyper::Error),
    /// Neither sent nor refused: a new connection closed at once.
    #[error("the connection closed before the request was sent")]
    Closed,
    /// No whole answer within the patience.
    #[error("no answer within {0:?}")]
    Patience(Duration),
}
