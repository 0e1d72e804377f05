//! How a run is asked to stop from outside: by a signal, where a command runs it.

use async_trait::async_trait;

/// Which signal asked for the end.
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

/// Where requests to stop come from.
#[async_trait]
pub trait StopRequests: Send {
    /// Waits for one; it never returns where none comes. It may be dropped while it waits, and loses none.
    async fn asked(&mut self) -> Asked;
}
