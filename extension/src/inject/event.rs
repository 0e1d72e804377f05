//! What happens to an event before the handler sees it: the waits, then the fault that prevents its
//! delivery, else its edits.

use std::time::Instant;

use faults::{Action, Death, Moment};

use super::context::{Context, Held, Injection};
use super::{edit, kill, refuse, twice};
use crate::connection::Connection;
use crate::event::Event;
use crate::exchange::Broken;
use crate::lock::lock;
use crate::wait::{BEYOND_DEADLINE, wait_while};

/// The result for an event.
pub(crate) enum Fate {
    /// The handler gets it.
    HandOver(Event),
    /// The runtime does not get it and requests another one.
    Gone,
    /// The runtime disconnected: the next `next` gets it.
    Abandoned(Event),
}

/// Carries out the faults that act before the handler.
pub(crate) async fn before_handler(context: Context<'_>, runtime: &Connection, event: Event) -> Result<Fate, Broken> {
    let actions = lock(context.record).actions();
    for (at, action) in actions.iter().enumerate() {
        let Action::Wait { moment: Moment::Before, time } = action else { continue };
        match context.at(at).hold(runtime, *time).await {
            Held::Fully => (),
            Held::Over => return Ok(hand_over(context, event)),
            Held::Abandoned => return Ok(abandon(context, event)),
        }
    }
    let keeps = |action: &Action| matches!(action, Action::Refuse { .. } | Action::HoldOfDeadline { .. } | Action::Kill(Death::Before));
    let keeper = actions.into_iter().enumerate().find(|(_, action)| keeps(action));
    match keeper {
        Some((at, Action::Refuse { error_type, message })) => {
            refuse::refuse(context.at(at), event, &error_type, &message).await;
            Ok(Fate::Gone)
        }
        Some((at, Action::HoldOfDeadline { share })) => hold_of_deadline(context.at(at), runtime, event, share).await,
        // The event is lost with the runtime: it was the platform's last one for this environment.
        Some((at, Action::Kill(_))) if kill::before(context.at(at), runtime).await => Err(Broken::Runtime),
        _ => to_the_handler(context, event).await,
    }
}

/// Prepares an event for the handler: edits it and keeps it for a second delivery, if faults need
/// that.
async fn to_the_handler(context: Context<'_>, mut event: Event) -> Result<Fate, Broken> {
    edit::bar(context, &mut event).await?;
    edit::edit(context, &mut event).await?;
    twice::keep(context, &mut event).await?;
    Ok(hand_over(context, event))
}

/// Gives the event to the handler in its present form. If nothing is left to do after that, its
/// line is final, so the ledger is complete even if the runtime dies.
fn hand_over(context: Context<'_>, mut event: Event) -> Fate {
    event.decided = true;
    let settled = lock(context.record).is_settled();
    if settled {
        context.tell();
    }
    Fate::HandOver(event)
}

/// The runtime disconnected while an event was held: the next `next` gets it, and its faults are
/// decided again.
fn abandon(context: Context<'_>, mut event: Event) -> Fate {
    event.decided = lock(context.record).told;
    context.platform.ledger.forget(context.record);
    Fate::Abandoned(event)
}

async fn hold_of_deadline(injection: Injection<'_>, runtime: &Connection, event: Event, share: f64) -> Result<Fate, Broken> {
    let context = injection.context;
    let deadline = lock(context.record).deadline;
    let Some(deadline) = deadline else {
        context.note("an event without a deadline cannot be held until it");
        return to_the_handler(context, event).await;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    match injection.hold(runtime, left.mul_f64(share.clamp(0.0, 1.0))).await {
        Held::Abandoned => return Ok(abandon(context, event)),
        Held::Over => return Ok(hand_over(context, event)),
        Held::Fully if share < 1.0 => return to_the_handler(context, event).await,
        Held::Fully => (),
    }
    // The deadline has passed and the platform has not killed this process: the runtime gets
    // another event.
    context.tell();
    event.discard(&context.platform.upstream).await;
    wait_while(BEYOND_DEADLINE, &runtime.stream).await;
    Ok(Fate::Gone)
}
