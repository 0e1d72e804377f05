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
use crate::journeys::{Body, FIRST_NUMBER, Journey, REQUESTS_OF_A_STEP, SENT, SignIn, Step, Times, To};
use crate::traffic::order::Order;
use crate::traffic::preparation;
use crate::traffic::users::{Given, Users};
use crate::traffic::voice::{Expecting, Line, Voice};
use crate::{Asked, Event};

/// What each request may take without a fault, over the internet.
const REQUEST: Duration = Duration::from_secs(5);

/// Statuses from here on are failures.
const FAILURE: u16 = 500;

/// The status of an answer to a user who is not signed in any more.
const NOT_SIGNED_IN: u16 = 401;

struct Steps {
    voice: Voice,
    journey: Journey,
    users: Users,
}

/// A user on the way through the journey.
struct Going {
    arrival: Arrival,
    /// Which row of the data it is.
    row: usize,
    values: BTreeMap<String, String>,
    chance: Chance,
    /// The number of its next sign-in among its requests.
    sign_in: u64,
    /// What its sign-in gave.
    given: Option<Given>,
}

/// What the next request depends on besides its step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    /// The user need not sign in, or has just done so.
    Surely,
    /// A sign-in may be over; then the answer is [`NOT_SIGNED_IN`], which is no mistake.
    Once,
}

/// The senders of every journey of `order`, each with a schedule of its own.
///
/// # Errors
/// If the stack has no such API.
pub(crate) fn systems(order: &Order, events: &UnboundedSender<Event>) -> Result<Vec<System>, TrafficError> {
    let numbered = order.load.journeys.iter().zip(FIRST_NUMBER..);
    numbered.map(|(journey, number)| system(order, journey, number, events)).collect()
}

/// Who sends the requests of a journey, and to which address.
///
/// # Errors
/// If the stack has no such API.
pub(super) fn voice(
    order: &Order,
    journey: &Journey,
    number: u64,
    events: &UnboundedSender<Event>,
) -> Result<(Voice, String), TrafficError> {
    Ok(match &journey.to {
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
    })
}

fn system(order: &Order, journey: &Journey, number: u64, events: &UnboundedSender<Event>) -> Result<System, TrafficError> {
    let (voice, address) = voice(order, journey, number, events)?;
    let sign_in = journey.around.sign_in.as_ref().map(|sign_in| &sign_in.step);
    let all = || journey.steps.iter().chain(sign_in);
    let waits: Duration = all().map(|step| step.pause + step.retry.map_or(Duration::ZERO, |retry| retry.within)).sum();
    let requests = match &journey.times {
        Times::Steady | Times::Stages(_) => u32::try_from(all().count()).unwrap_or(u32::MAX),
        Times::Recorded(_) => 1,
    };
    let longest = crew::Journey { time: REQUEST + waits, requests };
    let schedule = journey.schedule(order.arrivals, order.timeline.end(), order.seed, number);
    let users = order.users(schedule.busiest(), longest);
    let scenario = Steps { voice, journey: journey.clone(), users: Users::of(journey) };
    Ok(System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address })
}

#[async_trait]
impl Scenario for Steps {
    fn name(&self) -> &'static str {
        self.journey.name
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let (rows, steps) = (&self.journey.rows, self.journey.steps_of(arrival.number));
        let row = usize::try_from(arrival.number).unwrap_or_default().checked_rem(rows.len()).unwrap_or_default();
        let values = rows.get(row).cloned().unwrap_or_default();
        let chance = Chance::new(&[self.voice.seed, self.voice.system, arrival.number]);
        let mut going = Going { arrival, row, values, chance, sign_in: first(self.journey.steps.len()), given: None };
        let mut due = arrival.due;
        // `None`: the run was stopped, or the answer is not what the next request needs.
        if let Some(sign_in) = &self.journey.around.sign_in {
            let Some(done) = self.sign_in(sign_in, &mut going, due, hands).await else { return };
            due = done;
        }
        for (step, place) in steps.iter().zip(0..) {
            let Some(answer) = self.signed_step(step, &mut going, first(place), due + step.pause, hands).await else { return };
            due = answer.done;
        }
    }
}

/// The number of a step's first request.
fn first(step: usize) -> u64 {
    u64::try_from(step * REQUESTS_OF_A_STEP).unwrap_or(u64::MAX)
}

impl Steps {
    /// Takes what the user's sign-in gave to another arrival, and signs in where that is nothing, or what is no longer good; tells when it was done.
    async fn sign_in(&self, sign_in: &SignIn, going: &mut Going, due: Duration, hands: &mut Hands<'_>) -> Option<Duration> {
        let mut known = self.users.at(going.row)?.lock().await;
        let mut done = due;
        if known.is_none() || *known == going.given {
            *known = None;
            let mut number = going.sign_in;
            let answer = self.step(&sign_in.step, going, &mut number, Signed::Surely, due + sign_in.step.pause, hands).await?;
            (going.sign_in, done) = (number, answer.done);
            *known = Some(kept(&sign_in.step, &answer.body).into_iter().collect());
        }
        going.given.clone_from(&known);
        going.values.extend(known.clone().into_iter().flatten());
        Some(done)
    }

    /// The step, and once more after another sign-in where the first is over.
    async fn signed_step(&self, step: &Step, going: &mut Going, mut number: u64, due: Duration, hands: &mut Hands<'_>) -> Option<Answer> {
        let Some(sign_in) = self.journey.around.sign_in.as_ref().filter(|_| !step.expected.statuses.contains(&NOT_SIGNED_IN)) else {
            return self.step(step, going, &mut number, Signed::Surely, due, hands).await;
        };
        let answer = self.step(step, going, &mut number, Signed::Once, due, hands).await?;
        if answer.status != Some(NOT_SIGNED_IN) {
            return Some(answer);
        }
        let due = self.sign_in(sign_in, going, answer.done, hands).await?;
        self.step(step, going, &mut number, Signed::Surely, due, hands).await
    }

    /// Sends a request until it is answered as expected; `None` if it never is.
    async fn step(
        &self,
        step: &Step,
        going: &mut Going,
        number: &mut u64,
        signed: Signed,
        first: Duration,
        hands: &mut Hands<'_>,
    ) -> Option<Answer> {
        let Going { arrival, values, chance, .. } = going;
        let is_over = |status: u16| signed == Signed::Once && status == NOT_SIGNED_IN;
        let mut due = first;
        loop {
            // Before the request is made up, because it may hold the time.
            if !hands.wait_until(due).await {
                return None;
            }
            let is_last = step.retry.is_none_or(|retry| due + retry.every > first + retry.within);
            let headers: Vec<_> = step.headers.iter().map(|(name, value)| (*name, value.filled(values, chance))).collect();
            let mut line = line(step, &headers, values, chance);
            line.asked = Asked::Request { statuses: right(step, is_last, signed) };
            let missed = |status, body: &[u8]| step.expected.missed(body, values).filter(|_| is_last && !is_over(status));
            let body = if step.told.names.is_empty() { String::new() } else { line.body.clone() };
            let told = |answer: &Answer| told(step, answer, values, &body).filter(|_| is_last || is_right(step, answer, values));
            let expecting = Expecting { missed: &missed, told: &told, first_byte: step.first_byte };
            let answer = self.voice.say_expecting(hands, *arrival, *number, due, line, expecting).await?;
            *number += 1;
            if answer.status.is_some_and(is_over) {
                return Some(answer);
            }
            let is_right = is_right(step, &answer, values);
            if is_right || is_last {
                self.settled(step, first, &answer, is_right);
            }
            match (is_right, is_last, step.retry) {
                (true, ..) => return keep(step, &answer.body, values).then_some(answer),
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
    answer.status.is_some_and(|status| is_expected(step, status, &answer.body, values))
}

/// Whether an answer is as expected.
pub(super) fn is_expected(step: &Step, status: u16, body: &[u8], values: &BTreeMap<String, String>) -> bool {
    step.expected.statuses.contains(&status) && step.expected.missed(body, values).is_none()
}

/// Takes what later requests need; false if the answer has it not.
pub(super) fn keep(step: &Step, body: &[u8], values: &mut BTreeMap<String, String>) -> bool {
    let kept = kept(step, body);
    let has_all = kept.len() == step.keep.len();
    values.extend(kept);
    has_all
}

/// What the answer has of that.
fn kept(step: &Step, body: &[u8]) -> Vec<(String, String)> {
    if step.keep.is_empty() {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    step.keep.iter().filter_map(|(name, place)| Some((name.clone(), place.of(&body)?))).collect()
}

/// What rules are told of an answer; `None` if none is about the request.
fn told(step: &Step, answer: &Answer, values: &BTreeMap<String, String>, sent: &str) -> Option<Told> {
    let names = &step.told.names;
    if names.is_empty() {
        return None;
    }
    let kept: BTreeMap<_, _> = kept(step, &answer.body).into_iter().collect();
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

/// The statuses that are right. A request that will be repeated may be answered with any but a failure.
fn right(step: &Step, is_last: bool, signed: Signed) -> Vec<u16> {
    let mut right = if is_last { step.expected.statuses.clone() } else { (200..FAILURE).collect() };
    right.extend((signed == Signed::Once && is_last).then_some(NOT_SIGNED_IN));
    right
}

/// The request with everything filled in.
pub(super) fn line<'a>(
    step: &Step,
    headers: &'a [(&'static str, String)],
    values: &BTreeMap<String, String>,
    chance: &mut Chance,
) -> Line<'a> {
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
        asked: Asked::Request { statuses: step.expected.statuses.clone() },
    }
}
