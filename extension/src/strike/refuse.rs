//! An event is taken from the runtime, and the platform is answered with an error in its place. The handler must never see it.

use tokio::io::AsyncWriteExt;

use super::error_request;
use crate::event::Event;
use crate::exchange::{self, Broken};
use crate::ledger::{Open, lock};
use crate::message::AnswerHead;
use crate::proxy::Proxy;

impl Proxy {
    /// Takes an event from the runtime and answers the platform with an error in its place.
    pub(crate) async fn refuse(&self, event: Event, open: &Open, at: usize, error_type: &str, message: &str) {
        event.discard(&self.upstream).await;
        let id = lock(open).request_id.clone();
        self.done(open, at, true);
        self.ledger.tell(open);
        let accepted = match self.post(&error_request(&id, self.upstream.address(), error_type, message)).await {
            // It is ours and may be repeated: a second one for the same id would only be refused.
            Err(Broken::Unanswered) => self.post(&error_request(&id, self.upstream.address(), error_type, message)).await,
            other => other,
        };
        if accepted != Ok(202) {
            self.ledger.note("the platform did not take an injected error");
        }
    }

    /// Sends a request of our own and reads its answer to the end; the status.
    pub(crate) async fn post(&self, request: &[u8]) -> Result<u16, Broken> {
        let mut platform = self.platform().await?;
        platform.stream.write_all(request).await.map_err(|_| Broken::Unanswered)?;
        let head = exchange::read_answer(&mut platform.stream, &mut platform.buffer, false).await?;
        let AnswerHead { length, status, body, keep_alive, .. } = head;
        platform.discard(length, body).await.map_err(|_| Broken::Platform)?;
        if keep_alive {
            self.upstream.give_back(platform);
        }
        Ok(status)
    }
}
