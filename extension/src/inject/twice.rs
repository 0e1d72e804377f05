//! Delivers the same event a second time. Its bytes are kept only until the handler has answered
//! once.

use faults::Action;

use super::context::{Context, Injection};
use super::steps::{confirm, discard};
use crate::connection::Connection;
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::lock::lock;
use crate::message::RequestHead;
use crate::parked::Parked;

/// Keeps an event that will be handed over again.
pub(super) async fn keep(context: Context<'_>, event: &mut Event) -> Result<(), Broken> {
    if find(context).is_none() {
        return Ok(());
    }
    if event.gather(&context.platform.upstream).await? {
        lock(context.record).handed.again = event.again();
    } else {
        context.note("an event is too large to be handed over twice");
    }
    Ok(())
}

/// Discards the first answer. The event goes to the first poller that requests one, usually the one
/// that has just answered. It is parked before the runtime is told that its answer was accepted, so
/// that no `next` can overtake it.
pub(super) async fn hand_again(
    context: Context<'_>,
    parked: &Parked,
    runtime: &mut Connection,
    request: &RequestHead,
    event: Event,
) -> Result<Ended, Broken> {
    discard(runtime, request).await?;
    if let Some(injection) = find(context) {
        injection.done(true);
    }
    parked.event(event);
    confirm(runtime, request).await
}

/// The fault that hands the event over twice, if there is one.
fn find(context: Context<'_>) -> Option<Injection<'_>> {
    let at = lock(context.record).lines.iter().position(|line| line.decision.action == Action::HandTwice)?;
    Some(context.at(at))
}
