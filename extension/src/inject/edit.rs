//! Edits the event before the handler sees it, and checks the answer before the platform sees it:
//! no edit may ever turn a denial into a grant. An answer that cannot be checked counts as a grant.

use std::panic::{AssertUnwindSafe, catch_unwind};

use faults::access::edited_may_grant;
use faults::{Action, Trigger};

use super::context::Context;
use super::requests::error_request;
use super::steps::{replace, send_continue};
use crate::connection::{Connection, MOST_KEPT};
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::lock::lock;
use crate::message::{RequestHead, mentions};

/// Bars the faults that are safe only if the event shows that its trigger does not decide about
/// access. A barred fault is not carried out.
pub(super) async fn bar(context: Context<'_>, event: &mut Event) -> Result<(), Broken> {
    let actions = lock(context.record).actions();
    if !actions.iter().any(Action::depends_on_event) {
        return Ok(());
    }
    let is_whole = event.gather(&context.platform.upstream).await?;
    let payload = event.payload();
    for (line, action) in lock(context.record).lines.iter_mut().zip(&actions) {
        line.barred = action.depends_on_event() && !(is_whole && action.fits(&payload));
    }
    Ok(())
}

/// Edits the event for the faults. It passes untouched if it is too large, does not show that this
/// edit is safe, or has none of the places.
pub(super) async fn edit(context: Context<'_>, event: &mut Event) -> Result<(), Broken> {
    let actions = lock(context.record).actions();
    let edits =
        actions.iter().enumerate().filter_map(|(at, action)| if let Action::EditEvent(edits) = action { Some((at, edits)) } else { None });
    for (at, edits) in edits {
        if !event.gather(&context.platform.upstream).await? {
            context.note("an event is too large to be edited");
            return Ok(());
        }
        let payload = event.payload();
        let edited = catch_unwind(AssertUnwindSafe(|| edits.apply(&payload))).unwrap_or_else(|_| {
            context.note("editing failed: the event passes untouched");
            None
        });
        if let (Some(edited), Some(trigger)) = (edited, Trigger::told_by(&payload))
            && event.replace(&edited).is_some()
        {
            lock(context.record).handed.edited = Some(trigger);
            context.at(at).done(true);
        }
    }
    Ok(())
}

/// Whether this answers an edited event and may grant access. A streamed answer may, and so may one
/// that is larger than Lambda's limit.
pub(super) async fn may_grant_access(context: Context<'_>, runtime: &mut Connection, request: &RequestHead) -> Result<bool, Broken> {
    let Some(edited) = lock(context.record).handed.edited else { return Ok(false) };
    let head = runtime.buffer.get(..request.length).unwrap_or_default();
    if mentions(head, "lambda-runtime-function-response-mode", "streaming") {
        return Ok(true);
    }
    send_continue(runtime, request).await?;
    let read = runtime.read_whole(request.length, request.body, MOST_KEPT).await.map_err(|_| Broken::Runtime)?;
    let Some(end) = read else { return Ok(true) };
    Ok(edited_may_grant(&request.body.payload(runtime.buffer.get(request.length..end).unwrap_or_default()), edited))
}

/// Replaces an answer that may grant access with an error.
pub(crate) async fn replace_with_error(context: Context<'_>, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
    context.note("the answer to an edited event could have allowed something: an error takes its place");
    let id = lock(context.record).request_id.clone();
    let message = "the answer to an event that brownout edited could have allowed something";
    let error = error_request(&id, context.platform.upstream.address(), "Brownout.WouldHaveAllowed", message);
    replace(context, runtime, request, None, &error).await
}
