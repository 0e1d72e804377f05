//! A journey as a scenario: each arrival takes the next row of the data and sends its requests one
//! after another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use load::chance::Chance;
use load::open_model::{Answer, Arrival, Hands, Scenario, System};
use load::{TrafficError, crew};
use reports::Outcome;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::exchange::Told;
use crate::journeys::{Body, FIRST_NUMBER, Journey, REQUESTS_OF_A_STEP, SENT, Step, Times, To};
use crate::traffic::order::Order;
use crate::traffic::preparation;
use crate::traffic::voice::{Expecting, Line, Voice};
use crate::{Asked, Event};

/// What each request may take without a fault, over the internet.
const REQUEST: Duration = Duration::from_secs(5);

struct Steps {
    voice: Voice,
    journey: Journey,
}

/// The senders of every journey of `order`, each with a schedule of its own.
///
/// # Errors
/// If the stack has no such API.
pub(crate) fn systems(order: &Order, events: &UnboundedSender<Event>) -> Result<Vec<System>, TrafficError> {
    let numbered = order.load.journeys.iter().zip(FIRST_NUMBER..);
    numbered.map(|(journey, number)| system(order, journey, number, events)).collect()
}

fn system(order: &Order, journey: &Journey, number: u64, events: &UnboundedSender<Event>) -> Result<System, TrafficError> {
    let (voice, address) = match &journey.to {
        To::Api(name) => {
            let api = order.api(name)?;
            (preparation::voice(order, events, number, api), api.address.clone())
        }
        To::Elsewhere(endpoint) => {
            // Stamped: X-Ray and API Gateway take the time in a trace id for the time of the request.
            let (events, host, stage) = (events.clone(), endpoint.host.clone(), String::new());
            (
                Voice { events, seed: order.seed, system: number, host, stage, stamped: true, tokens: order.load.tokens.clone() },
                endpoint.origin.clone(),
            )
        }
    };
    let waits: Duration = journey.steps.iter().map(|step| step.pause + step.retry.map_or(Duration::ZERO, |retry| retry.within)).sum();
    let requests = match &journey.times {
        Times::Steady | Times::Stages(_) => u32::try_from(journey.steps.len()).unwrap_or(u32::MAX),
        Times::Recorded(_) => 1,
    };
    let longest = crew::Journey { time: REQUEST + waits, requests };
    let schedule = journey.schedule(order.arrivals, order.timeline.end(), order.seed, number);
    let users = order.users(schedule.busiest(), longest);
    Ok(System { scenario: Arc::new(Steps { voice, journey: journey.clone() }), schedule: Arc::new(schedule), users, address })
}

#[async_trait]
impl Scenario for Steps {
    fn name(&self) -> &'static str {
        self.journey.name
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let rows = &self.journey.rows;
        let row = usize::try_from(arrival.number).unwrap_or_default().checked_rem(rows.len()).and_then(|at| rows.get(at));
        let mut values = row.cloned().unwrap_or_default();
        let mut chance = Chance::new(&[self.voice.seed, self.voice.system, arrival.number]);
        let mut due = arrival.due;
        for (step, mut number) in self.journey.steps_of(arrival.number).iter().zip((0..).step_by(REQUESTS_OF_A_STEP)) {
            due += step.pause;
            // `None`: the run was stopped, or the answer is not what the next request needs.
            let Some(answer) = self.step(step, &mut values, &mut chance, &mut number, arrival, due, hands).await else { return };
            due = answer.done;
        }
    }
}

impl Steps {
    /// Sends a request until it is answered as expected; `None` if it never is.
    #[expect(clippy::too_many_arguments, reason = "a journey's state is these few values")]
    async fn step(
        &self,
        step: &Step,
        values: &mut BTreeMap<String, String>,
        chance: &mut Chance,
        number: &mut u64,
        arrival: Arrival,
        first: Duration,
        hands: &mut Hands<'_>,
    ) -> Option<Answer> {
        let mut due = first;
        loop {
            // Before the request is made up, because it may hold the time.
            if !hands.wait_until(due).await {
                return None;
            }
            let is_last = step.retry.is_none_or(|retry| due + retry.every > first + retry.within);
            let headers: Vec<_> = step.headers.iter().map(|(name, value)| (*name, value.filled(values, chance))).collect();
            let line = line(step, &headers, values, chance, is_last);
            let missed = |body: &[u8]| step.expected.missed(body, values).filter(|_| is_last);
            let body = if step.told.names.is_empty() { String::new() } else { line.body.clone() };
            let told = |answer: &Answer| told(step, answer, values, &body).filter(|_| is_last || is_right(step, answer, values));
            let expecting = Expecting { missed: &missed, told: &told };
            let answer = self.voice.say_expecting(hands, arrival, *number, due, line, expecting).await?;
            *number += 1;
            let is_right = is_right(step, &answer, values);
            if is_right || is_last {
                self.settled(step, first, &answer, is_right);
            }
            match (is_right, is_last, step.retry) {
                (true, ..) => return keep(step, &answer, values).then_some(answer),
                (false, false, Some(retry)) => {
                    due = answer.done + retry.every;
                }
                (false, ..) => return None,
            }
        }
    }

    /// The whole time of a request that is repeated.
    fn settled(&self, step: &Step, first: Duration, answer: &Answer, is_right: bool) {
        let Some(retry) = step.retry else { return };
        let outcome = if is_right { Outcome::Answered } else { Outcome::TimedOut };
        let settled = Event::Settled { endpoint: retry.settled, since: first, at: answer.done, outcome };
        // The receiver is gone once the harness has gone on.
        let _ = self.voice.events.send(settled);
    }
}

fn is_right(step: &Step, answer: &Answer, values: &BTreeMap<String, String>) -> bool {
    let has_status = answer.status.is_some_and(|status| step.expected.statuses.contains(&status));
    has_status && step.expected.missed(&answer.body, values).is_none()
}

/// Takes what later requests need; false if the answer has it not.
fn keep(step: &Step, answer: &Answer, values: &mut BTreeMap<String, String>) -> bool {
    let kept = kept(step, answer);
    let has_all = kept.len() == step.keep.len();
    values.extend(kept);
    has_all
}

/// What the answer has of that.
fn kept(step: &Step, answer: &Answer) -> Vec<(String, String)> {
    if step.keep.is_empty() {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    step.keep.iter().filter_map(|(name, place)| Some((name.clone(), place.of(&body)?))).collect()
}

/// What rules are told of an answer; `None` if none is about the request.
fn told(step: &Step, answer: &Answer, values: &BTreeMap<String, String>, sent: &str) -> Option<Told> {
    let names = &step.told.names;
    if names.is_empty() {
        return None;
    }
    let kept: BTreeMap<_, _> = kept(step, answer).into_iter().collect();
    let body: Value = serde_json::from_str(sent).unwrap_or_default();
    let value = |name: &String| match name.strip_prefix(SENT) {
        Some(pointer) => body.pointer(pointer).filter(|value| !value.is_null()).map(text),
        None => kept.get(name).or_else(|| values.get(name)).cloned(),
    };
    let values = names.iter().filter_map(|name| Some((name.clone(), value(name)?))).collect();
    Some(Told { values, sent: step.told.shows_body.then(|| sent.to_owned()).filter(|sent| !sent.is_empty()) })
}

fn text(value: &Value) -> String {
    if let Value::String(text) = value { text.clone() } else { value.to_string() }
}

/// The request with everything filled in. One that will be repeated may be answered with any status
/// but a failure.
fn line<'a>(
    step: &Step,
    headers: &'a [(&'static str, String)],
    values: &BTreeMap<String, String>,
    chance: &mut Chance,
    is_last: bool,
) -> Line<'a> {
    let statuses = if is_last { step.expected.statuses.clone() } else { (200..500).collect() };
    Line {
        endpoint: step.of,
        method: step.method,
        path: step.path.filled(values, chance),
        headers: headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
        body: match &step.body {
            Body::Empty => String::new(),
            Body::Text(text) => text.filled(values, chance),
            Body::Json(value) => value.filled(values, chance).to_string(),
        },
        asked: Asked::Request { statuses },
    }
}
