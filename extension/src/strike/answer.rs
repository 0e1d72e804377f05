//! What becomes of the handler's answer to an event about which something was decided: which fault ends the invocation,
//! and what those share that put another request in the place of the runtime's.

use faults::{Action, Death, Moment};
use tokio::io::AsyncWriteExt;

use super::{ACCEPTED, error_request, response_request};
use crate::connection::Connection;
use crate::exchange::{self, Broken, Ended};
use crate::ledger::{Open, lock};
use crate::message::RequestHead;
use crate::proxy::Proxy;

/// Whether it decides how the invocation ends once the handler has answered.
const fn ends(action: &Action) -> bool {
    matches!(action, Action::LoseAnswer { .. } | Action::Replace { .. } | Action::Alter(_) | Action::Stream(_) | Action::Kill(Death::After))
}

impl Proxy {
    /// Hands on what the runtime answers to an event about which something was decided.
    pub(crate) async fn struck_answer(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        is_response: bool,
    ) -> Result<Ended, Broken> {
        let again = lock(open).handed.again.take().filter(|_| is_response);
        if let Some(event) = again {
            return self.hand_again(runtime, request, open, event).await;
        }
        let actions = lock(open).actions();
        for (at, action) in actions.iter().enumerate() {
            // A runtime that goes away meanwhile has answered all the same: the wait is cut short and its answer goes on.
            if let Action::Wait { moment: Moment::After, time } = action {
                self.hold(runtime, open, at, *time).await;
            }
        }
        let ended = if is_response && self.opens_a_door(runtime, request, open).await? {
            self.shut_the_door(runtime, request, open).await
        } else {
            self.end(runtime, request, open, &actions, is_response).await
        };
        if ended.is_ok() {
            self.ledger.forget(open);
        }
        ended
    }

    /// Carries out the first fault that decides how the invocation ends.
    async fn end(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        actions: &[Action],
        is_response: bool,
    ) -> Result<Ended, Broken> {
        let id = lock(open).request_id.clone();
        // An error of the handler's own stays what it is: there is no answer to lose or to replace.
        let ender = actions
            .iter()
            .enumerate()
            .filter(|(_, action)| is_response || matches!(action, Action::Kill(_)))
            .find(|(_, action)| ends(action));
        match ender {
            Some((at, Action::LoseAnswer { error_type, message })) => {
                let error = error_request(&id, self.upstream.address(), error_type, message);
                self.put_in_its_place(runtime, request, open, Some(at), &error).await
            }
            Some((at, Action::Replace { body, .. })) => {
                let response = response_request(&id, self.upstream.address(), body);
                self.put_in_its_place(runtime, request, open, Some(at), &response).await
            }
            Some((at, Action::Alter(alteration))) => self.alter(runtime, request, open, at, *alteration).await,
            Some((_, Action::Kill(_))) if self.kill_after(runtime, request, open).await? => Err(Broken::Runtime),
            Some((at, Action::Stream(pace))) => self.stream(runtime, request, open, at, pace).await,
            _ => self.pass_told(runtime, request, open).await,
        }
    }

    /// The answer goes on as it is.
    pub(super) async fn pass_told(&self, runtime: &mut Connection, request: &RequestHead, open: &Open) -> Result<Ended, Broken> {
        self.ledger.tell(open);
        self.pass(runtime, request).await
    }

    /// Tells a runtime that waits for a `100 Continue` to go on.
    pub(super) async fn let_it_come(&self, runtime: &mut Connection, request: &RequestHead) -> Result<(), Broken> {
        if request.expects_continue && runtime.buffer.len() == request.length {
            runtime.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.map_err(|_| Broken::Runtime)?;
        }
        Ok(())
    }

    /// Reads the handler's answer to its end and throws it away.
    pub(super) async fn swallow(&self, runtime: &mut Connection, request: &RequestHead) -> Result<(), Broken> {
        self.let_it_come(runtime, request).await?;
        runtime.discard(request.length, request.body).await.map_err(|_| Broken::Runtime)
    }

    /// Tells the runtime, as the platform would, that its answer has been taken.
    pub(super) async fn accept(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        runtime.stream.write_all(ACCEPTED).await.map_err(|_| Broken::Runtime)?;
        Ok(Ended { keep_runtime: request.keep_alive, keep_platform: false })
    }

    /// Swallows the handler's answer and sends another request, on behalf of the fault at `at` if there is one;
    /// the runtime gets the platform's answer to that one.
    pub(super) async fn put_in_its_place(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        at: Option<usize>,
        in_its_place: &[u8],
    ) -> Result<Ended, Broken> {
        self.swallow(runtime, request).await?;
        if let Some(at) = at {
            self.done(open, at, true);
        }
        self.ledger.tell(open);
        for _ in 0..2 {
            let mut platform = self.platform().await?;
            if platform.stream.write_all(in_its_place).await.is_err() {
                continue;
            }
            match exchange::answer(runtime, &mut platform, false).await {
                Ok(ended) => {
                    self.keep(platform, ended);
                    return Ok(Ended { keep_runtime: ended.keep_runtime && request.keep_alive, ..ended });
                }
                Err(Broken::Unanswered) => (),
                Err(broken) => return Err(broken),
            }
        }
        self.ledger.note("the platform did not take what was put in the place of an answer");
        Err(Broken::Unanswered)
    }
}
