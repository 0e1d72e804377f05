//! What happens to the handler's answer if faults apply to the invocation: the waits after the
//! handler, then the fault that ends the invocation.

use faults::{Action, Death, Moment};

use super::context::Context;
use super::edit::{may_grant_access, replace_with_error};
use super::requests::{error_request, response_request};
use super::steps::{pass_on, replace};
use super::{alter, kill, pace, twice};
use crate::connection::Connection;
use crate::exchange::{Broken, Ended};
use crate::lock::lock;
use crate::message::RequestHead;
use crate::parked::Parked;

/// Whether it decides how the invocation ends once the handler has answered.
const fn ends(action: &Action) -> bool {
    matches!(action, Action::LoseAnswer { .. } | Action::Replace { .. } | Action::Alter(_) | Action::Stream(_) | Action::Kill(Death::After))
}

/// Passes on the runtime's answer to an event that faults apply to.
pub(crate) async fn after_handler(
    context: Context<'_>,
    parked: &Parked,
    runtime: &mut Connection,
    request: &RequestHead,
    is_response: bool,
) -> Result<Ended, Broken> {
    let again = lock(context.record).handed.again.take().filter(|_| is_response);
    if let Some(event) = again {
        return twice::hand_again(context, parked, runtime, request, event).await;
    }
    let actions = lock(context.record).actions();
    for (at, action) in actions.iter().enumerate() {
        // A runtime that disconnects during the wait has still answered: the wait is cut short and
        // its answer is passed on.
        if let Action::Wait { moment: Moment::After, time } = action {
            context.at(at).hold(runtime, *time).await;
        }
    }
    let ended = if is_response && may_grant_access(context, runtime, request).await? {
        replace_with_error(context, runtime, request).await
    } else {
        end(context, runtime, request, &actions, is_response).await
    };
    if ended.is_ok() {
        context.platform.ledger.forget(context.record);
    }
    ended
}

/// Carries out the first fault that decides how the invocation ends.
async fn end(
    context: Context<'_>,
    runtime: &mut Connection,
    request: &RequestHead,
    actions: &[Action],
    is_response: bool,
) -> Result<Ended, Broken> {
    let (id, host) = (lock(context.record).request_id.clone(), context.platform.upstream.address());
    // The handler's own error is not changed: there is no answer to lose or to replace.
    let ender =
        actions.iter().enumerate().filter(|(_, action)| is_response || matches!(action, Action::Kill(_))).find(|(_, action)| ends(action));
    match ender {
        Some((at, Action::LoseAnswer { error_type, message })) => {
            replace(context, runtime, request, Some(at), &error_request(&id, host, error_type, message)).await
        }
        Some((at, Action::Replace { body, .. })) => replace(context, runtime, request, Some(at), &response_request(&id, host, body)).await,
        Some((at, Action::Alter(alteration))) => alter::alter(context.at(at), runtime, request, *alteration).await,
        Some((_, Action::Kill(_))) if kill::after(context, runtime, request).await? => Err(Broken::Runtime),
        Some((at, Action::Stream(pace))) => pace::stream(context.at(at), runtime, request, pace).await,
        _ => pass_on(context, runtime, request).await,
    }
}
