//! How a run is stopped from outside: by a signal, if a command runs it.

use async_trait::async_trait;

/// The signal that stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP: the terminal went away.
    HangUp,
}

impl Asked {
    /// 128 + the signal's number, as shells count.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::HangUp => 129,
        }
    }
}

/// The source of requests to stop.
#[async_trait]
pub trait StopRequests: Send {
    /// Waits for a request; never returns if none comes. Cancel safe.
    async fn asked(&mut self) -> Asked;
}
