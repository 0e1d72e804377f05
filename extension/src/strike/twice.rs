//! The same event is handed over a second time: its bytes are kept until the handler has answered once, and not a moment longer.

use faults::Action;

use crate::connection::Connection;
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::ledger::{Open, lock};
use crate::message::RequestHead;
use crate::proxy::Proxy;

impl Proxy {
    /// Keeps an event that will be handed over again.
    pub(crate) async fn keep_for_second(&self, event: &mut Event, open: &Open) -> Result<(), Broken> {
        if place(open).is_none() {
            return Ok(());
        }
        if event.gather(&self.upstream).await? {
            lock(open).handed.again = event.again();
        } else {
            self.ledger.note("an event is too large to be handed over twice");
        }
        Ok(())
    }

    /// Throws the first answer away; the event goes to the first poller that asks, as a rule the one that has just answered.
    /// It stands ready before the runtime hears that its answer was taken, so that no `next` can overtake it.
    pub(super) async fn hand_again(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        event: Event,
    ) -> Result<Ended, Broken> {
        self.swallow(runtime, request).await?;
        if let Some(at) = place(open) {
            self.done(open, at, true);
        }
        self.park_again(event);
        self.accept(runtime, request).await
    }
}

fn place(open: &Open) -> Option<usize> {
    lock(open).lines.iter().position(|line| line.decision.action == Action::HandTwice)
}
