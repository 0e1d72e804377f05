//! Puts the traffic together: signs in, connects, begins, tells what happens, and ends. It judges nothing.

use std::ops::Deref;
use std::time::Duration;

use load::{Ended, Sending, TrafficError};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;

use crate::Event;
use crate::invariants::Quiet;
use crate::traffic::order::Order;
use crate::traffic::preparation::{Companion, Preparation};
use crate::traffic::steps;

/// So long events gather before they are looked at.
const GATHERING: Duration = Duration::from_millis(10);

/// Traffic under way. What it started ends when it is dropped.
pub struct Traffic {
    sending: Sending,
    /// What happens, in the order in which it came to its end.
    pub events: UnboundedReceiver<Event>,
    companions: Vec<Box<dyn Companion>>,
    tasks: JoinSet<()>,
}

/// Signs users in, connects devices, then begins, not before the start time. [`load::keep_signals`] is to be called first thing in the process.
///
/// # Errors
/// Where users cannot sign in, devices cannot connect, or goose refuses.
pub async fn start(order: Order) -> Result<Traffic, TrafficError> {
    order.load.means.near().await;
    let (tell, events) = mpsc::unbounded_channel();
    let mut prepared = Preparation::new(&order, tell.clone());
    for load in &order.load.systems {
        load.prepare(&mut prepared).await?;
    }
    let Preparation { tasks, mut systems, mut companions, .. } = prepared;
    systems.extend(steps::systems(&order, &tell)?);
    let sending = Sending::start(systems, order.timeline, order.load.means.clone(), order.goose_report.clone()).await?;
    for companion in &mut companions {
        companion.begin(&order, sending.started())?;
    }
    Ok(Traffic { sending, events, companions, tasks })
}

impl Deref for Traffic {
    type Target = Sending;

    fn deref(&self) -> &Sending {
        &self.sending
    }
}

impl Traffic {
    /// The next event; `None` once all requests have come to their end and nothing more has happened. It may be called again
    /// later: devices go on until the traffic is finished or dropped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // Without waiting for the next: being woken for each event would cost more than sending its request.
            match self.events.try_recv() {
                Ok(event) => return Some(event),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(GATHERING) => {}
                () = self.sending.over() => return self.events.try_recv().ok(),
            }
        }
    }

    /// Tells the traffic what a service saw: some of what goes on beside the scenarios answers to it. Other events are left alone.
    pub fn tell(&self, event: &Event) {
        if let Event::Saw { seen, .. } = event {
            self.companions.iter().for_each(|companion| companion.saw(seen));
        }
    }

    /// Waits until nothing beside the scenarios, such as a device, has anything to report, but not for long.
    pub async fn quiet(&self) {
        for companion in &self.companions {
            companion.quiet().await;
        }
    }

    /// Whether everything beside the scenarios is at rest; what was seen of it goes into `quiet`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn at_rest(&self, quiet: &mut Quiet) -> Result<bool, TrafficError> {
        let mut at_rest = true;
        for companion in &self.companions {
            at_rest &= companion.at_rest(quiet).await?;
        }
        Ok(at_rest)
    }

    /// Waits for the last request and for goose's report, then disconnects the devices.
    ///
    /// # Errors
    /// What goose complained about.
    pub async fn finished(mut self) -> Result<Ended, TrafficError> {
        let ended = self.sending.finished().await?;
        self.companions.clear();
        self.tasks.abort_all();
        Ok(ended)
    }
}
