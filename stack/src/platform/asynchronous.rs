//! Asynchronous invocations: the caller gets its answer at once, and an event that fails is retried
//! twice. After that it is lost, as at AWS without a dead-letter queue or destination. A template
//! that names one is refused when it is read.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::functions::Functions;
use super::invocation::{Invocation, InvokeError, Invoked};
use crate::Compressed;

/// The waits before the retries of a failed event. Source: Lambda, "How Lambda handles errors and
/// retries with asynchronous invocation": one minute before the second attempt, two before the
/// third.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// A throttled event is retried after a second, then after longer and longer waits of up to five
/// minutes, for six hours. Source: as above.
const THROTTLED: Duration = Duration::from_secs(1);
const THROTTLED_LONGEST: Duration = Duration::from_secs(300);
const LIFE: Duration = Duration::from_secs(6 * 3600);

/// The accepted events of one platform that are not done yet.
#[derive(Debug)]
pub(crate) struct Asynchronous {
    compressed: Compressed,
    under_way: Mutex<JoinSet<()>>,
}

/// An event that was accepted.
struct Accepted {
    function: String,
    request_id: String,
    event: Bytes,
    trace: String,
    client_context: Option<String>,
}

impl Asynchronous {
    /// No events yet. The waits between attempts are compressed like a queue's.
    pub(crate) fn new(compressed: Compressed) -> Self {
        Self { compressed, under_way: Mutex::default() }
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        // Nothing panics while it holds the lock; even then the tasks would be consistent.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts an event for a function.
    ///
    /// # Errors
    /// If the function does not exist.
    pub(crate) fn accept(
        functions: &Arc<Functions>,
        function: &str,
        event: Bytes,
        trace: String,
        client_context: Option<String>,
    ) -> Result<(), InvokeError> {
        if !functions.has(function) {
            return Err(InvokeError::Unknown(function.to_owned()));
        }
        let request_id = super::names::uuid();
        let accepted = Accepted { function: function.to_owned(), request_id, event, trace, client_context };
        let compressed = functions.asynchronous.compressed;
        let mut under_way = functions.asynchronous.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.spawn(accepted.see_through(Arc::downgrade(functions), compressed));
        Ok(())
    }

    /// Cancels the events that are not done.
    pub(crate) async fn end(&self) {
        let mut under_way = std::mem::take(&mut *self.under_way());
        under_way.shutdown().await;
    }
}

impl Accepted {
    async fn see_through(self, functions: Weak<Functions>, compressed: Compressed) {
        let (accepted, mut retries, mut throttled) = (Instant::now(), RETRIES.into_iter(), THROTTLED);
        loop {
            let wait = match self.attempt(&functions).await {
                Ok(invoked) if invoked.failed => retries.next(),
                Err(InvokeError::Throttled) if accepted.elapsed() < compressed.queue(LIFE) => {
                    let wait = throttled;
                    throttled = (throttled * 2).min(THROTTLED_LONGEST);
                    Some(wait)
                }
                _ => None,
            };
            let Some(wait) = wait else { return };
            tokio::time::sleep(compressed.queue(wait)).await;
        }
    }

    /// All attempts have the same request id, as at AWS.
    async fn attempt(&self, functions: &Weak<Functions>) -> Result<Invoked, InvokeError> {
        let answer = {
            let functions = functions.upgrade().ok_or(InvokeError::Stopped)?;
            let (mut invocation, answer) = Invocation::new(self.event.clone(), Some(&self.trace), self.client_context.clone());
            invocation.request_id.clone_from(&self.request_id);
            functions.take(&self.function, invocation)?;
            answer
        };
        answer.await.map_err(|_| InvokeError::Stopped)
    }
}
