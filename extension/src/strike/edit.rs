//! The event is edited before the handler sees it, and the answer to it is looked at before the platform sees that:
//! no edit may ever turn a refusal into leave. What cannot be looked at counts as leave.

use std::panic::{AssertUnwindSafe, catch_unwind};

use faults::kinds::response::could_allow;
use faults::{Action, Facts};

use super::error_request;
use crate::connection::{Connection, MOST_KEPT};
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::ledger::{Edited, Open, lock};
use crate::message::{RequestHead, mentions};
use crate::proxy::Proxy;

impl Proxy {
    /// Edits the event as the faults want it. One that is no JSON, too large, or has none of the places passes untouched.
    pub(crate) async fn edit(&self, event: &mut Event, open: &Open) -> Result<(), Broken> {
        let actions = lock(open).actions();
        let edits = actions
            .iter()
            .enumerate()
            .filter_map(|(at, action)| if let Action::EditEvent(edits) = action { Some((at, edits)) } else { None });
        for (at, edits) in edits {
            if !event.gather(&self.upstream).await? {
                self.ledger.note("an event is too large to be edited");
                return Ok(());
            }
            let payload = event.payload();
            let edited = catch_unwind(AssertUnwindSafe(|| edits.apply(&payload))).unwrap_or_else(|_| {
                self.ledger.note("editing failed: the event passes untouched");
                None
            });
            if let Some(edited) = edited
                && event.replace(&edited).is_some()
            {
                let is_http = [&payload, &edited].iter().any(|payload| Facts::read(payload).method().is_some());
                let mut page = lock(open);
                if page.handed.edited != Some(Edited::Http) {
                    page.handed.edited = Some(if is_http { Edited::Http } else { Edited::Other });
                }
                drop(page);
                self.done(open, at, true);
            }
        }
        Ok(())
    }

    /// Whether this is the answer to an edited event and could allow something. A streamed one, and one that is larger than Lambda takes, could.
    pub(super) async fn opens_a_door(&self, runtime: &mut Connection, request: &RequestHead, open: &Open) -> Result<bool, Broken> {
        let Some(edited) = lock(open).handed.edited else { return Ok(false) };
        let head = runtime.buffer.get(..request.length).unwrap_or_default();
        if mentions(head, "lambda-runtime-function-response-mode", "streaming") {
            return Ok(true);
        }
        self.let_it_come(runtime, request).await?;
        let read = runtime.read_whole(request.length, request.body, MOST_KEPT).await.map_err(|_| Broken::Runtime)?;
        let Some(end) = read else { return Ok(true) };
        Ok(could_open(edited, &request.body.payload(runtime.buffer.get(request.length..end).unwrap_or_default())))
    }

    /// Puts an error in the place of an answer that could allow something.
    pub(crate) async fn shut_the_door(&self, runtime: &mut Connection, request: &RequestHead, open: &Open) -> Result<Ended, Broken> {
        self.ledger.note("the answer to an edited event could have allowed something: an error takes its place");
        let id = lock(open).request_id.clone();
        let message = "the answer to an event that brownout edited could have allowed something";
        let error = error_request(&id, self.upstream.address(), "Brownout.WouldHaveAllowed", message);
        self.put_in_its_place(runtime, request, open, None, &error).await
    }
}

/// Of HTTP answers only those with a status of 400 and more are safe: an HTTP API takes an answer without one for a 200.
fn could_open(edited: Edited, answer: &[u8]) -> bool {
    let refuses = || {
        let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
        answer.get("statusCode").and_then(serde_json::Value::as_u64).is_some_and(|status| status >= 400)
    };
    could_allow(&String::from_utf8_lossy(answer)) || (edited == Edited::Http && !refuses())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_an_edited_event_must_not_open_a_door() {
        for (edited, answer, opens) in [
            (Edited::Other, r#"{"batchItemFailures":[]}"#, false),
            (Edited::Other, r#"{"isAuthorized":true}"#, true),
            (Edited::Other, r#"{"decision":"\u0041LLOW"}"#, true),
            (Edited::Other, r#"{"statusCode":200}"#, true),
            (Edited::Other, "", false),
            (Edited::Http, r#"{"statusCode":403,"body":"no"}"#, false),
            (Edited::Http, r#"{"statusCode":403,"body":"Allow"}"#, true),
            (Edited::Http, r#"{"items":[]}"#, true),
            (Edited::Http, r#"{"statusCode":"403"}"#, true),
            (Edited::Http, "not json", true),
        ] {
            assert_eq!(could_open(edited, answer.as_bytes()), opens, "{edited:?} {answer}");
        }
        assert!(could_open(Edited::Other, b"\xff allow"));
    }
}
