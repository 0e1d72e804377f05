//! The platform gets an error instead of an invocation: the event never reaches the handler.

use super::context::Injection;
use super::requests::error_request;
use crate::event::Event;
use crate::exchange::Broken;
use crate::lock::lock;

/// Takes an event from the runtime and answers the platform with an error in its place.
pub(super) async fn refuse(injection: Injection<'_>, event: Event, error_type: &str, message: &str) {
    let platform = injection.context.platform;
    event.discard(&platform.upstream).await;
    let id = lock(injection.record()).request_id.clone();
    injection.done(true);
    injection.tell();
    let accepted = match platform.post(&error_request(&id, platform.upstream.address(), error_type, message)).await {
        // A retry is safe: the platform would only refuse a second error for the same id.
        Err(Broken::Unanswered) => platform.post(&error_request(&id, platform.upstream.address(), error_type, message)).await,
        other => other,
    };
    if accepted != Ok(202) {
        injection.note("the platform did not take an injected error");
    }
}
