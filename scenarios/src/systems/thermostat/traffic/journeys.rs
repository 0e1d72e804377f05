//! The thermostats' users: owners, guests, the power company, and callers who must not get access.
//! It judges nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::systems::thermostat::Home;
use crate::systems::thermostat::homes;
use async_trait::async_trait;
use load::deck::Deck;
use load::open_model::{Answer, Arrival, Hands, Scenario};
use load::signed_in::StaySignedIn;
use load::tokens::{self, Forger, SignIn, Tokens};
use load::{Journey, TrafficError};

use crate::exchange::{Caller, ThermostatRequest};
use crate::systems::thermostat::traffic::convergence::Convergence;
use crate::systems::thermostat::traffic::words::{self as words, Bad, Time};
use crate::traffic::voice::{Line, Voice, said};
use crate::{Asked, Event};

const ITEMS: &str = "thermostat GET /items";
const GET: &str = "thermostat POST /control/{id} Get";
const SET: &str = "thermostat POST /control/{id} Set";
const HOSTILE: &str = "thermostat hostile";

/// Time between two looks at a device that was set.
const LOOK_PAUSE: Duration = Duration::from_millis(250);

/// How many looks at a device that was set.
const LOOKS: u64 = 8;

/// An owner's journey takes this long, the longest of all; it allows for a slow answer.
pub(crate) const JOURNEY: Journey = Journey { time: Duration::from_secs(6), requests: 4 };

/// Kinds of journeys, and how many of a hundred are of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Owner,
    Guest,
    PowerCompany,
    SecondDevice,
    Hostile,
}

const WEIGHTS: [(Kind, usize); 5] =
    [(Kind::Owner, 35), (Kind::Guest, 30), (Kind::PowerCompany, 15), (Kind::SecondDevice, 10), (Kind::Hostile, 10)];

/// The scenario.
pub(crate) struct Thermostats {
    voice: Voice,
    deck: Deck<Kind>,
    homes: Vec<Home>,
    people: Arc<StaySignedIn>,
    bad: Vec<(Bad, String)>,
    /// How often each device was set, to see whether another journey has set it since.
    sets: Mutex<HashMap<String, u64>>,
    convergence: Arc<Convergence>,
}

/// One request, its caller, and its place in the journey.
struct Turn {
    step: u64,
    due: Duration,
    endpoint: &'static str,
    caller: Caller,
    request: ThermostatRequest,
    time: Time,
}

impl Thermostats {
    /// Signs all users in; the future keeps them so.
    pub(crate) async fn prepare(
        voice: Voice,
        order: &crate::traffic::order::Order,
        count: u32,
        convergence: Arc<Convergence>,
    ) -> Result<(Self, impl Future<Output = ()> + use<>), TrafficError> {
        let homes = homes(count);
        let pool = order.pool("thermostat")?;
        let users: Vec<String> = homes.iter().flat_map(|home| home.users().map(ToOwned::to_owned)).collect();
        let (people, good_for) = StaySignedIn::begin(SignIn::at(&order.addresses), &pool.client_id, users).await?;
        let first = homes.first().ok_or_else(|| TrafficError::Preparation("there are no homes".to_owned()))?;
        let own = people.token(&first.john).unwrap_or_default();
        let forged = Forger::new()?.forge(&own)?;
        let expired = tokens::expired(&order.addresses, pool, &first.john).await;
        let bad = bad_variants(forged, expired);
        let deck = Deck::new(order.seed, &WEIGHTS);
        let staying = Arc::clone(&people).stay(good_for);
        Ok((Self { voice, deck, homes, people, bad, sets: Mutex::default(), convergence }, staying))
    }

    fn home(&self, turn: u64) -> Option<&Home> {
        self.homes.get(usize::try_from(turn.checked_rem(self.homes.len() as u64)?).ok()?)
    }

    async fn owner(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let home = self.home(turn)?;
        let (john, device) = (&home.john, &home.first.id);
        let turn_of = |step, due, endpoint, request| Turn {
            step,
            due,
            endpoint,
            caller: Caller::Valid(john.clone()),
            request,
            time: words::HALF_PAST_THREE,
        };
        let get = || ThermostatRequest::Get { device: device.clone(), time: Some(words::HALF_PAST_THREE.1) };
        let items = self.ask(hands, arrival, turn_of(0, arrival.due, ITEMS, ThermostatRequest::Items)).await?;
        let looked = self.ask(hands, arrival, turn_of(1, items.done, GET, get())).await?;
        let wanted = words::owner_set(device, turn);
        let temperature = if let ThermostatRequest::Set { temperature, .. } = &wanted { *temperature } else { return None };
        let set = self.ask(hands, arrival, turn_of(2, looked.done, SET, wanted)).await?;
        if set.status != Some(200) {
            return None;
        }
        let number = self.times_set(device);
        let mut due = set.done + LOOK_PAUSE;
        for look in 0..LOOKS {
            if !hands.wait_until(due).await || self.times_set(device) != number {
                return None;
            }
            let looked = self.ask(hands, arrival, turn_of(3 + look, due, GET, get())).await?;
            if said(&looked.body).reported_temperature == Some(temperature) {
                return None;
            }
            due = next_look(due, looked.done);
        }
        None
    }

    async fn single(&self, turn: Turn, arrival: Arrival, hands: &mut Hands<'_>) {
        let _ = self.ask(hands, arrival, turn).await;
    }

    fn by(&self, arrival: Arrival, user: &str, request: ThermostatRequest, time: Time) -> Turn {
        let endpoint = if matches!(request, ThermostatRequest::Set { .. }) { SET } else { GET };
        Turn { step: 0, due: arrival.due, endpoint, caller: Caller::Valid(user.to_owned()), request, time }
    }

    async fn hostile(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) {
        let Some(home) = self.home(0) else { return };
        let device = &home.first.id;
        let Some((bad, token)) = turn.checked_rem(self.bad.len() as u64).and_then(|n| self.bad.get(usize::try_from(n).ok()?)) else {
            return;
        };
        let time = words::HALF_PAST_THREE;
        let (caller, request) = bad.asks(&home.john, device);
        let own = self.people.token(&home.john);
        let token = match bad {
            Bad::NoToken => None,
            Bad::Forged | Bad::Expired | Bad::Garbage => Some(token.as_str()),
            _ => own.as_deref(),
        };
        let body = bad.body().map_or_else(|| words::body(&request, time), ToOwned::to_owned);
        let path = format!("/control/{}", words::device_of(&request).unwrap_or("Thermostat-unknown"));
        let turn = Turn { step: 0, due: arrival.due, endpoint: HOSTILE, caller, request, time };
        let _ = self.send(hands, arrival, turn, path, body, token).await;
    }

    async fn ask(&self, hands: &mut Hands<'_>, arrival: Arrival, turn: Turn) -> Option<Answer> {
        let Caller::Valid(user) = &turn.caller else { return None };
        let token = self.people.token(user)?;
        let path = words::device_of(&turn.request).map_or_else(|| "/items".to_owned(), |device| format!("/control/{device}"));
        let body = words::body(&turn.request, turn.time);
        self.send(hands, arrival, turn, path, body, Some(&token)).await
    }

    async fn send(
        &self,
        hands: &mut Hands<'_>,
        arrival: Arrival,
        turn: Turn,
        path: String,
        body: String,
        token: Option<&str>,
    ) -> Option<Answer> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers: Vec<(&'static str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let method = if matches!(turn.request, ThermostatRequest::Items) { "GET" } else { "POST" };
        if method == "POST" {
            headers.push(("content-type", "application/json"));
        }
        let set = match &turn.request {
            ThermostatRequest::Set { device, temperature, .. } => Some((device.clone(), *temperature)),
            _ => None,
        };
        if let Some((device, _)) = &set {
            *self.sets.lock().unwrap_or_else(PoisonError::into_inner).entry(device.clone()).or_default() += 1;
        }
        let asked = Asked::Thermostat { caller: turn.caller, request: turn.request };
        let line = Line { endpoint: turn.endpoint, method, path, headers, body, asked };
        let answer = self.voice.say(hands, arrival, turn.step, turn.due, line).await?;
        if let Some((device, temperature)) = set
            && answer.status == Some(200)
        {
            self.acknowledged(&device, temperature, &answer);
        }
        Some(answer)
    }

    fn acknowledged(&self, device: &str, temperature: i64, answer: &Answer) {
        if let Some(reported) = self.convergence.acknowledged(device, temperature, answer.sent, answer.done) {
            let converged = Event::Converged { thing: device.to_owned(), acknowledged: answer.done, reported };
            let _ = self.voice.events.send(converged);
        }
    }

    fn times_set(&self, device: &str) -> u64 {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).get(device).copied().unwrap_or(0)
    }
}

/// When the next look is due: at a fixed pace, or when the answer shows that it is needed.
fn next_look(due: Duration, answered: Duration) -> Duration {
    (due + LOOK_PAUSE).max(answered)
}

/// The hostile and malformed variants with their tokens; an expired one only if the target can make
/// it.
fn bad_variants(forged: String, expired: Option<Tokens>) -> Vec<(Bad, String)> {
    let expired = expired.map(|tokens| (Bad::Expired, tokens.access_token));
    [(Bad::NoToken, String::new()), (Bad::Forged, forged), (Bad::Garbage, "not.a.token".to_owned())]
        .into_iter()
        .chain(expired)
        .chain(words::MALFORMED.map(|bad| (bad, String::new())))
        .collect()
}

#[async_trait]
impl Scenario for Thermostats {
    fn name(&self) -> &'static str {
        "thermostat"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let Some((kind, turn)) = self.deck.draw(arrival.number) else { return };
        let Some(home) = self.home(turn) else { return };
        match kind {
            Kind::Owner => drop(self.owner(turn, arrival, hands).await),
            Kind::Guest => {
                let (request, time) = words::guest(&home.first.id, turn);
                self.single(self.by(arrival, &home.jane, request, time), arrival, hands).await;
            }
            Kind::PowerCompany => {
                let (request, time) = words::power_company(&home.first.id, turn);
                self.single(self.by(arrival, &home.power_company, request, time), arrival, hands).await;
            }
            Kind::SecondDevice => {
                let (user, request, time) = words::second_device(home, turn);
                self.single(self.by(arrival, user, request, time), arrival, hands).await;
            }
            Kind::Hostile => self.hostile(turn, arrival, hands).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_the_kinds_add_up_to_a_hundred() {
        assert_eq!(WEIGHTS.iter().map(|(_, weight)| weight).sum::<usize>(), 100);
    }

    #[test]
    fn an_arrival_makes_as_many_requests_as_declared() {
        let (homes, turns) = (homes(1), 900);
        let set = |request: &ThermostatRequest| usize::from(matches!(request, ThermostatRequest::Set { .. }));
        let share = |sets: &dyn Fn(u64) -> usize| (0..turns).map(sets).sum::<usize>() as f64 / turns as f64;
        let sets_of = |kind: Kind| match kind {
            Kind::Owner => 1.0,
            Kind::Guest => share(&|turn| set(&words::guest("d", turn).0)),
            Kind::PowerCompany => share(&|turn| set(&words::power_company("d", turn).0)),
            Kind::SecondDevice => share(&|turn| set(&words::second_device(&homes[0], turn).1)),
            Kind::Hostile => 0.0,
        };
        let gets_of = |kind: Kind| match kind {
            Kind::Owner => 2.0,
            Kind::Hostile => 0.0,
            single => 1.0 - sets_of(single),
        };
        let all = |of: &dyn Fn(Kind) -> f64| WEIGHTS.iter().map(|(kind, weight)| of(*kind) * *weight as f64 / 100.0).sum::<f64>();
        assert!((all(&sets_of) - crate::systems::thermostat::SETS).abs() < 0.005, "{}", all(&sets_of));
        assert!((all(&gets_of) - crate::systems::thermostat::GETS).abs() < 0.005, "{}", all(&gets_of));
    }

    #[test]
    fn looks_keep_their_pace_unless_an_answer_takes_longer_than_the_pause() {
        let ms = Duration::from_millis;
        for (due, answered, next) in [(1_000, 1_001, 1_250), (1_000, 1_240, 1_250), (1_000, 1_900, 1_900)] {
            assert_eq!(next_look(ms(due), ms(answered)), ms(next), "{due} {answered}");
        }
    }

    #[test]
    fn without_an_expired_token_that_variant_is_left_out() {
        let variants = |expired| bad_variants(String::new(), expired).into_iter().map(|(bad, _)| bad).collect::<Vec<_>>();
        let expired = || Tokens { access_token: "a".to_owned(), id_token: "i".to_owned(), refresh_token: None, expires_in: None };
        assert!(variants(Some(expired())).contains(&Bad::Expired));
        assert!(!variants(None).contains(&Bad::Expired));
        assert_eq!(variants(Some(expired())).len(), 9);
    }
}
