//! Senders of mail: each mail is made shortly before it is due, handed in over SMTP, and reported.
//! It judges nothing.

mod compose;
mod draft;
mod send;
mod sizes;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use load::NoAnswer;
use load::open_model::{Arrival, Hands, Scenario, Stage, System};
use load::{Arrivals, Journey, PATIENCE, Schedule};
use reports::Outcome;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;

use crate::Event;
use crate::exchange::Mail;
use crate::systems::mail::MailLoad;
use crate::traffic::order::Order;
use compose::{INBOX, Made};
use draft::Draft;
use send::NotTaken;

/// How long before it is due a mail is started: the largest takes a quarter of this.
const LEAD: Duration = Duration::from_secs(1);

/// A small mail takes milliseconds, the largest a few seconds on a busy machine. Faults strike
/// behind SMTP.
const JOURNEY: Journey = Journey { time: Duration::from_secs(LEAD.as_secs() + 3), requests: 0 };

/// Mails in memory are counted in pieces of this size.
const PIECE: u64 = 64 * 1024;

/// How many pieces may be in memory at once, 128 MB: three of the largest mails, or two thousand
/// small ones.
const PIECES: usize = 2_048;

/// The scenario.
pub(crate) struct Mails {
    events: UnboundedSender<Event>,
    seed: u64,
    load: MailLoad,
    address: String,
    memory: Semaphore,
}

/// The senders of `load` with their schedule: a Poisson process with one burst, whatever the
/// schedule of the other systems.
pub(crate) fn system(order: &Order, load: &MailLoad, number: u64, events: UnboundedSender<Event>) -> System {
    let address = order.addresses.smtp.clone();
    let timeline = order.timeline;
    let burst = std::iter::repeat_n(timeline.fault_from() + timeline.fault / 2, load.burst as usize);
    let schedule = Schedule::new(Arrivals::Poisson, load.rate.0, timeline.end(), order.seed, number).with(burst);
    let users = order.users(load.rate.0, JOURNEY) + load.burst.min(1_000) as usize;
    let scenario = Mails { events, seed: order.seed, load: load.clone(), address: address.clone(), memory: Semaphore::new(PIECES) };
    System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address }
}

impl Mails {
    async fn made(&self, draft: Draft) -> Option<(Draft, Made)> {
        // Not on the thread that keeps the schedule: the largest takes a tenth of a second.
        let making = tokio::task::spawn_blocking(move || compose::compose(&draft).map(|made| (draft, made)));
        making.await.ok()?.ok()
    }

    /// Sends a mail; returns the outcome, the SMTP status, and the mail's id if it was accepted.
    async fn hand_in(&self, number: u64, mail: &[u8], stage: &Stage) -> (Outcome, Option<u16>, Option<String>) {
        let sender = compose::sensor(number);
        match tokio::time::timeout(PATIENCE, send::send(&self.address, &sender, INBOX, mail)).await {
            Ok(Ok(id)) => (Outcome::Answered, Some(250), Some(id)),
            Ok(Err(NotTaken::Unreachable(error))) => {
                stage.not_connected(&NoAnswer::Connect(error));
                (Outcome::Failed, None, None)
            }
            Ok(Err(error)) => (Outcome::Failed, error.status(), None),
            Err(_) => (Outcome::TimedOut, None, None),
        }
    }
}

#[async_trait]
impl Scenario for Mails {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn keeps_connections(&self) -> bool {
        false
    }

    fn lead(&self) -> Duration {
        LEAD
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let draft = Draft::new(self.seed, &self.load, arrival.number);
        let pieces = u32::try_from(draft.size / PIECE + 1).unwrap_or(u32::MAX).min(PIECES as u32);
        let Ok(_in_memory) = self.memory.acquire_many(pieces).await else { return };
        let Some((draft, made)) = self.made(draft).await else { return };
        let work = self.hand_in(arrival.number, &made.bytes, hands.stage);
        let Some(carried) = hands.carry(arrival.due, "SMTP", work).await else { return };
        let mail = Mail {
            id: carried.value.flatten(),
            phase: carried.phase,
            due: arrival.due,
            sent: carried.sent,
            done: carried.done,
            outcome: carried.outcome,
            form: draft.form,
            size: made.bytes.len() as u64,
            expected: draft.expected(),
            token: draft.token,
            attachments: made.attachments,
        };
        // The receiver is gone once the harness has moved on.
        let _ = self.events.send(Event::Mail(Box::new(mail)));
    }
}
