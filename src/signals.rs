//! Ctrl-C, SIGTERM and SIGHUP, as a future.

use std::io;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use engine::{Asked, StopRequests};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for all of them from now on.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// The runtime of a run; from here on a signal is kept until it can be handled.
    ///
    /// # Errors
    /// If the runtime or the handlers cannot be started.
    pub fn begin() -> io::Result<(Runtime, Self)> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let signals = runtime.block_on(async { Self::listen() })?;
        Ok((runtime, signals))
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The signal that has already come, if any.
    pub fn so_far(&mut self) -> Option<Asked> {
        let mut now = Context::from_waker(Waker::noop());
        let mut came = |signal: &mut Signal| matches!(signal.poll_recv(&mut now), Poll::Ready(Some(())));
        if came(&mut self.interrupt) {
            Some(Asked::Interrupt)
        } else if came(&mut self.terminate) {
            Some(Asked::Terminate)
        } else if came(&mut self.hang_up) {
            Some(Asked::HangUp)
        } else {
            None
        }
    }
}

#[async_trait]
impl StopRequests for Signals {
    async fn asked(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Interrupt,
            _ = self.terminate.recv() => Asked::Terminate,
            _ = self.hang_up.recv() => Asked::HangUp,
        }
    }
}
