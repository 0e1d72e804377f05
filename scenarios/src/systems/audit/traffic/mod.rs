//! Sources of audit records: each record is made while it is sent, and reported with its answer. A
//! record that an answer does not settle is sent again, as a real source does. It judges nothing.

mod content;
mod draft;
mod send;

use std::sync::Arc;
use std::time::Duration;

use crate::systems::audit::{API, AuditLoad, PATH};
use async_trait::async_trait;
use hyper::Request;
use load::open_model::{Arrival, Carried, Hands, Scenario, Stage, System};
use load::{Journey, PATIENCE, Schedule, TrafficError, chance};
use reports::Outcome;
use run_folder::addresses::Api;
use tokio::sync::mpsc::UnboundedSender;

use crate::exchange::{Asked, Record, RecordForm, Said, Verdict};
use crate::right::statuses_of_record;
use crate::traffic::order::Order;
use crate::{Event, Exchange};
use content::Content;
use draft::Draft;

/// The endpoint under which the sending of a record is recorded.
const ENDPOINT: &str = "audit POST /records";

/// How long after an answer that does not settle the record it is sent again: twice, then no more.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// The largest record takes a second on a busy machine; one that is sent again takes longer.
const JOURNEY: Journey = Journey { time: Duration::from_secs(6), requests: 2 };

/// A key that was never issued.
const NO_KEY_OF_OURS: &str = "key-that-nobody-gave-out";

/// The scenario. It has no `Debug`, so that the key cannot be printed by accident.
pub(crate) struct Records {
    events: UnboundedSender<Event>,
    seed: u64,
    load: AuditLoad,
    api: Api,
    /// Keeps the trace ids of the systems apart.
    number: u64,
}

/// The sources of `load` with their schedule.
///
/// # Errors
/// If the stack has no such API, or its key is not known.
pub(crate) fn system(order: &Order, load: &AuditLoad, number: u64, events: UnboundedSender<Event>) -> Result<System, TrafficError> {
    let api = order.api(API)?.clone();
    if api.key.is_empty() {
        return Err(TrafficError::Preparation(format!("the stack has no key of `{API}`")));
    }
    let address = api.address.clone();
    let schedule = Schedule::new(order.arrivals, load.rate.0, order.timeline.end(), order.seed, number);
    let scenario = Records { events, seed: order.seed, load: load.clone(), api, number };
    let users = order.users(load.rate.0, JOURNEY);
    Ok(System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address })
}

impl Records {
    fn request(&self, draft: &Draft, root: &str, content: Content) -> Option<Request<Content>> {
        let request = Request::post(format!("{}{PATH}", self.api.stage))
            .header("host", self.api.host.as_str())
            .header("content-type", "application/json")
            .header("x-amzn-trace-id", format!("Root={root}"));
        let request = match draft.form {
            RecordForm::NoKey => request,
            RecordForm::WrongKey => request.header("x-api-key", NO_KEY_OF_OURS),
            _ => request.header("x-api-key", self.api.key.as_str()),
        };
        request.body(content).ok()
    }

    async fn hand_in(&self, request: Request<Content>, form: RecordForm, stage: &Stage) -> (Outcome, Option<u16>, Option<u16>) {
        match tokio::time::timeout(PATIENCE, send::send(&self.api.address, request)).await {
            Ok(Ok((status, _))) => {
                let is_right = statuses_of_record(form).contains(&status);
                (if is_right { Outcome::Answered } else { Outcome::Failed }, Some(status), Some(status))
            }
            Ok(Err(error)) => {
                stage.not_connected(&error);
                (Outcome::Failed, None, None)
            }
            Err(_) => (Outcome::TimedOut, None, None),
        }
    }

    /// Sends `draft` when it is due and reports the outcome; the status is `None` if there was no
    /// answer.
    async fn attempt(
        &self,
        hands: &mut Hands<'_>,
        arrival: Arrival,
        draft: &Draft,
        attempt: u32,
        due: Duration,
    ) -> Option<Carried<Option<u16>>> {
        let root = chance::trace_root(self.seed, self.number, arrival.number, attempt.into());
        let (content, etag) = Content::new(draft);
        let request = self.request(draft, &root, content)?;
        let work = self.hand_in(request, draft.form, hands.stage);
        let carried = hands.carry(due, "POST /records", work).await?;
        let record =
            Record { id: draft.id.clone(), form: draft.form, size: draft.size, etag: etag.get().cloned(), repeats: draft.repeats, attempt };
        let exchange = Exchange {
            endpoint: ENDPOINT,
            root,
            phase: carried.phase,
            due,
            sent: carried.sent,
            done: carried.done,
            outcome: carried.outcome,
            status: carried.value.flatten(),
            method: "POST",
            path: PATH.to_owned(),
            asked: Asked::Record(Box::new(record)),
            said: Said::default(),
            missed: None,
            told: None,
            began: None,
            struck: Vec::new(),
        };
        // The receiver is gone once the harness has moved on.
        let _ = self.events.send(Event::Exchange(Box::new(exchange)));
        Some(carried)
    }
}

#[async_trait]
impl Scenario for Records {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn keeps_connections(&self) -> bool {
        false
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let draft = Draft::new(self.seed, &self.load, arrival.number);
        let mut due = arrival.due;
        for (attempt, pause) in (0..).zip(AGAIN.into_iter().map(Some).chain([None])) {
            let Some(carried) = self.attempt(hands, arrival, &draft, attempt, due).await else { return };
            let unsettled = carried.outcome != Outcome::Cancelled && Verdict::of(carried.value.flatten()) == Verdict::Unknown;
            let Some(pause) = pause.filter(|_| unsettled) else { return };
            due = carried.done + pause;
        }
    }
}
