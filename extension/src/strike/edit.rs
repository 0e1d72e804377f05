//! The event is edited before the handler sees it, and the answer to it is looked at before the platform sees that:
//! no edit may ever turn a refusal into leave. What cannot be looked at counts as leave.

use std::panic::{AssertUnwindSafe, catch_unwind};

use faults::access::edited_could_open;
use faults::{Action, Trigger};

use super::error_request;
use crate::connection::{Connection, MOST_KEPT};
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::ledger::{Open, lock};
use crate::message::{RequestHead, mentions};
use crate::proxy::Proxy;

impl Proxy {
    /// Bars what may only be done where the event tells that nobody asks for leave with it. Such a fault is not carried out.
    pub(crate) async fn bar(&self, event: &mut Event, open: &Open) -> Result<(), Broken> {
        let actions = lock(open).actions();
        if !actions.iter().any(Action::hangs_on_event) {
            return Ok(());
        }
        let is_whole = event.gather(&self.upstream).await?;
        let payload = event.payload();
        for (line, action) in lock(open).lines.iter_mut().zip(&actions) {
            line.barred = action.hangs_on_event() && !(is_whole && action.fits(&payload));
        }
        Ok(())
    }

    /// Edits the event as the faults want it. One that is too large, does not tell that it may be edited so, or has none of the places
    /// passes untouched.
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
            if let (Some(edited), Some(trigger)) = (edited, Trigger::told_by(&payload))
                && event.replace(&edited).is_some()
            {
                lock(open).handed.edited = Some(trigger);
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
        Ok(edited_could_open(&request.body.payload(runtime.buffer.get(request.length..end).unwrap_or_default()), edited))
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
