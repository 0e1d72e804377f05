//! Requests to the Runtime API: which ones are retried on a new connection, and the ledger's notes
//! when the platform fails. A request that the platform may have processed must never be sent twice
//! unless that is safe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::AsyncWriteExt;

use crate::connection::Connection;
use crate::exchange::{self, Broken, Ended};
use crate::ledger::Ledger;
use crate::message::{AnswerHead, RequestHead};
use crate::upstream::Upstream;

/// How often a request is sent if its connection ends before a byte of an answer and a retry is
/// safe.
pub(crate) const TRIES: usize = 3;

/// The Runtime API, and the ledger for notes about its failures.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) ledger: Arc<Ledger>,
    /// Whether the ledger already has the note that the platform cannot be reached.
    unreachable: AtomicBool,
}

impl Platform {
    pub(crate) const fn new(upstream: Arc<Upstream>, ledger: Arc<Ledger>) -> Self {
        Self { upstream, ledger, unreachable: AtomicBool::new(false) }
    }

    /// A connection to the platform. The first of several failures in a row is noted.
    pub(crate) async fn connection(&self) -> Result<Connection, Broken> {
        let taken = self.upstream.take().await;
        if self.unreachable.swap(taken.is_err(), Ordering::Relaxed) != taken.is_err()
            && let Err(error) = &taken
        {
            self.ledger.note(&format!("the platform cannot be reached ({})", error.kind()));
        }
        taken.map_err(|_| Broken::Platform)
    }

    /// Returns a connection to the pool if it may be used again.
    pub(crate) fn keep(&self, platform: Connection, ended: Ended) {
        if ended.keep_platform {
            self.upstream.give_back(platform);
        }
    }

    /// Passes on a runtime's request, and its answer back.
    pub(crate) async fn pass(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        let safe_to_repeat = request.body.is_done() && request.is_idempotent(&runtime.buffer);
        for _ in 0..TRIES {
            let mut platform = self.connection().await?;
            match exchange::carry(runtime, request, &mut platform).await {
                Ok(ended) => {
                    self.keep(platform, ended);
                    return Ok(ended);
                }
                Err(Broken::Unsent) => (),
                Err(Broken::Unanswered) if safe_to_repeat => (),
                Err(broken) => return Err(broken),
            }
        }
        Err(Broken::Unanswered)
    }

    /// Sends the extension's own request and reads its answer to the end; returns the status.
    pub(crate) async fn post(&self, request: &[u8]) -> Result<u16, Broken> {
        let mut platform = self.connection().await?;
        platform.stream.write_all(request).await.map_err(|_| Broken::Unanswered)?;
        let head = exchange::read_answer(&mut platform.stream, &mut platform.buffer, false).await?;
        let AnswerHead { length, status, body, keep_alive, .. } = head;
        platform.discard(length, body).await.map_err(|_| Broken::Platform)?;
        if keep_alive {
            self.upstream.give_back(platform);
        }
        Ok(status)
    }

    /// Notes why the platform ended a runtime's connection, unless the platform cannot be reached,
    /// which is already noted.
    pub(crate) fn note_broken(&self, broken: Broken) {
        let what = match broken {
            Broken::Unsent | Broken::Unanswered => "closed a connection without an answer",
            Broken::Platform if !self.unreachable.load(Ordering::Relaxed) => "broke off an answer, or sent one that is not HTTP/1",
            Broken::Platform | Broken::Runtime | Broken::RuntimeBeforeAnswer => return,
        };
        self.ledger.note(&format!("the platform {what}: the runtime's connection ends as well"));
    }
}
