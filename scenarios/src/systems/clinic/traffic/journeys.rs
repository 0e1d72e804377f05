//! The clinic's staff and clients, and callers who must not get access. It judges nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::systems::clinic::{NAMESAKES, Pool, USERS, User};
use async_trait::async_trait;
use load::deck::Deck;
use load::open_model::{Answer, Arrival, Hands, Scenario};
use load::tokens::{self, Forger, SignIn};
use load::{Journey, TrafficError};

use crate::Asked;
use crate::exchange::ClinicToken;
use crate::systems::clinic::traffic::stock::{Stock, Token};
use crate::traffic::order::Order;
use crate::traffic::voice::{Line, Voice};

const GET: &str = "clinic GET /appointment/{id}";
const POST: &str = "clinic POST /appointment/{id}";
const HOSTILE: &str = "clinic hostile";

/// Two requests with slow answers.
pub(crate) const JOURNEY: Journey = Journey { time: Duration::from_secs(3), requests: 2 };

/// The appointments of the contract's table.
const APPOINTMENTS: [&str; 3] = ["PI-T123", "PI-T124", "PI-T125"];

/// An appointment that does not exist.
const UNKNOWN: &str = "PI-T999";

/// Kinds of journeys, and how many of a hundred are of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pair,
    Twice,
    NoHeader,
    BadToken,
    WrongClientType,
    UnknownId,
    Post,
}

const WEIGHTS: [(Kind, usize); 7] = [
    (Kind::Pair, 70),
    (Kind::Twice, 15),
    (Kind::NoHeader, 5),
    (Kind::BadToken, 3),
    (Kind::WrongClientType, 3),
    (Kind::UnknownId, 2),
    (Kind::Post, 2),
];

/// A token that must never be accepted: whose it is, what is wrong with it, and the token itself.
struct Bad {
    user: User,
    what: &'static str,
    text: String,
}

/// The scenario.
pub(crate) struct Clinic {
    voice: Voice,
    deck: Deck<Kind>,
    stock: Arc<Stock>,
    bad: Vec<Bad>,
}

/// One request: with which token, and to which appointment.
struct Turn {
    step: u64,
    due: Duration,
    endpoint: &'static str,
    token: ClinicToken,
    text: Option<Arc<str>>,
    client_type: Pool,
    appointment: &'static str,
}

impl Clinic {
    /// Signs all users in. The second value keeps the stock of tokens filled while it is polled.
    pub(crate) async fn prepare(voice: Voice, order: &Order, rate: f64) -> Result<(Self, Arc<Stock>), TrafficError> {
        let client = |user: User| Ok::<_, TrafficError>((user, order.pool(user.pool.name())?.client_id.clone()));
        let users = USERS.into_iter().chain(NAMESAKES).map(client).collect::<Result<Vec<_>, _>>()?;
        // About 5 s worth: 68 of 100 journeys take a fresh token, of one of four users.
        let stock = Stock::filled(SignIn::at(&order.addresses), users, (rate.ceil() as usize).clamp(4, 200)).await?;
        let mut bad = Vec::new();
        let forger = Forger::new()?;
        for user in USERS {
            bad.extend(bad_tokens(order, user, &forger).await?);
        }
        // The first of each kind, then the second of each, so that a short run sees every kind.
        let mut in_turn: Vec<Bad> = Vec::with_capacity(bad.len());
        let kinds = bad.len() / USERS.len();
        let mut slots: Vec<Option<Bad>> = bad.into_iter().map(Some).collect();
        for round in 0..USERS.len() {
            for kind in 0..kinds {
                let user = (round + kind) % USERS.len();
                in_turn.extend(slots.get_mut(user * kinds + kind).and_then(Option::take));
            }
        }
        Ok((Self { voice, deck: Deck::new(order.seed, &WEIGHTS), stock: Arc::clone(&stock), bad: in_turn }, stock))
    }

    async fn send(&self, hands: &mut Hands<'_>, arrival: Arrival, method: &'static str, turn: Turn) -> Option<Answer> {
        let bearer = turn.text.map(|text| format!("Bearer {text}"));
        let client_type = turn.client_type.client_type();
        let mut headers = vec![("clienttype", client_type)];
        headers.extend(bearer.iter().map(|bearer| ("authorization", bearer.as_str())));
        let asked = Asked::Clinic { token: turn.token, client_type: Some(client_type), appointment: turn.appointment.to_owned() };
        let path = format!("/appointment/{}", turn.appointment);
        let line = Line { endpoint: turn.endpoint, method, path, headers, body: String::new(), asked };
        self.voice.say(hands, arrival, turn.step, turn.due, line).await
    }

    fn valid(arrival: Arrival, user: User, token: &Token, appointment: &'static str) -> Turn {
        Turn {
            step: 0,
            due: arrival.due,
            endpoint: GET,
            token: ClinicToken::Valid { user, id: token.id },
            text: Some(Arc::clone(&token.text)),
            client_type: user.pool,
            appointment,
        }
    }

    async fn pair(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let (user, appointment) = pair(turn)?;
        let token = if reuses(turn) { self.stock.used(user)? } else { self.stock.fresh(user)? };
        self.send(hands, arrival, "GET", Self::valid(arrival, user, &token, appointment)).await.map(drop)
    }

    async fn twice(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let dave = turn.is_multiple_of(2);
        let user = *USERS.iter().find(|user| user.name == if dave { "Dave" } else { "Jane" })?;
        let token = self.stock.fresh(user)?;
        let first = self.send(hands, arrival, "GET", Self::valid(arrival, user, &token, "PI-T123")).await?;
        let second = Self::valid(arrival, user, &token, if dave { "PI-T125" } else { "PI-T124" });
        self.send(hands, arrival, "GET", Turn { step: 1, due: first.done, ..second }).await.map(drop)
    }

    async fn no_header(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let (user, appointment) = pair(turn)?;
        let turn = Turn {
            step: 0,
            due: arrival.due,
            endpoint: HOSTILE,
            token: ClinicToken::Missing,
            text: None,
            client_type: user.pool,
            appointment,
        };
        self.send(hands, arrival, "GET", turn).await.map(drop)
    }

    async fn bad_token(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let bad = self.bad.get(usize::try_from(turn.checked_rem(self.bad.len() as u64)?).ok()?)?;
        let turn = Turn {
            step: 0,
            due: arrival.due,
            endpoint: HOSTILE,
            token: ClinicToken::Bad { user: bad.user, what: bad.what },
            text: Some(bad.text.as_str().into()),
            client_type: bad.user.pool,
            appointment: permitted(bad.user),
        };
        self.send(hands, arrival, "GET", turn).await.map(drop)
    }

    async fn wrong_client_type(&self, turn: u64, arrival: Arrival, hands: &mut Hands<'_>) -> Option<()> {
        let round = usize::try_from(turn / 2).ok()?;
        let turn = if turn.is_multiple_of(2) {
            let user = *USERS.get(round % USERS.len())?;
            let other = if user.pool == Pool::Internal { Pool::External } else { Pool::Internal };
            Turn { endpoint: HOSTILE, client_type: other, ..Self::valid(arrival, user, &self.stock.apart(user)?, permitted(user)) }
        } else {
            // What a user of that name in the other pool may see: mixing up the pools would grant
            // access.
            let namesake = *NAMESAKES.get(round % NAMESAKES.len())?;
            Turn { endpoint: HOSTILE, ..Self::valid(arrival, namesake, &self.stock.fresh(namesake)?, permitted(namesake)) }
        };
        self.send(hands, arrival, "GET", turn).await.map(drop)
    }

    async fn one(
        &self,
        method: &'static str,
        endpoint: &'static str,
        turn: u64,
        unknown: bool,
        arrival: Arrival,
        hands: &mut Hands<'_>,
    ) -> Option<()> {
        let user = *USERS.get(usize::try_from(turn).ok()? % USERS.len())?;
        let appointment = if unknown { UNKNOWN } else { permitted(user) };
        let turn = Turn { endpoint, ..Self::valid(arrival, user, &self.stock.fresh(user)?, appointment) };
        self.send(hands, arrival, method, turn).await.map(drop)
    }
}

#[async_trait]
impl Scenario for Clinic {
    fn name(&self) -> &'static str {
        "clinic"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let Some((kind, turn)) = self.deck.draw(arrival.number) else { return };
        // `None` only means that the run was stopped during the journey.
        let _ = match kind {
            Kind::Pair => self.pair(turn, arrival, hands).await,
            Kind::Twice => self.twice(turn, arrival, hands).await,
            Kind::NoHeader => self.no_header(turn, arrival, hands).await,
            Kind::BadToken => self.bad_token(turn, arrival, hands).await,
            Kind::WrongClientType => self.wrong_client_type(turn, arrival, hands).await,
            Kind::UnknownId => self.one("GET", GET, turn, true, arrival, hands).await,
            Kind::Post => self.one("POST", POST, turn, false, arrival, hands).await,
        };
    }
}

/// All twelve pairs of user and appointment, in turn.
fn pair(turn: u64) -> Option<(User, &'static str)> {
    let turn = usize::try_from(turn % 12).ok()?;
    Some((*USERS.get(turn % 4)?, *APPOINTMENTS.get(turn / 4)?))
}

/// One pair in four reuses a token, shifted by one each round so that every pair comes up.
fn reuses(turn: u64) -> bool {
    (turn + turn / 12) % 4 == 3
}

/// An appointment that a user of that name may see.
fn permitted(user: User) -> &'static str {
    match user.name {
        "Joy" => "PI-T124",
        "Adam" => "PI-T125",
        _ => "PI-T123",
    }
}

/// The bad tokens of one user; an expired one only if the target can make it.
async fn bad_tokens(order: &Order, user: User, forger: &Forger) -> Result<Vec<Bad>, TrafficError> {
    let (pool, sign_in) = (order.pool(user.pool.name())?, SignIn::at(&order.addresses));
    let own = sign_in.tokens(&pool.client_id, user.name).await?;
    let of_other_client =
        if pool.other_client_id.is_empty() { None } else { Some(sign_in.tokens(&pool.other_client_id, user.name).await?) };
    let bad = |what, text| Bad { user, what, text };
    let expired = tokens::expired(&order.addresses, pool, user.name).await;
    Ok([bad("signed by another key", forger.forge(&own.id_token)?)]
        .into_iter()
        .chain(expired.map(|tokens| bad("expired", tokens.id_token)))
        .chain(of_other_client.map(|tokens| bad("of another client", tokens.id_token)))
        .chain([bad("an access token", own.access_token), bad("not a token", "not.a.token".to_owned())])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_weights_of_the_kinds_add_up_to_a_hundred() {
        assert_eq!(WEIGHTS.iter().map(|(_, weight)| weight).sum::<usize>(), 100);
    }

    #[test]
    fn an_arrival_makes_as_many_requests_as_declared() {
        let gets = |kind: Kind| match kind {
            Kind::Pair | Kind::UnknownId => 1,
            Kind::Twice => 2,
            Kind::NoHeader | Kind::BadToken | Kind::WrongClientType | Kind::Post => 0,
        };
        let of_a_hundred: usize = WEIGHTS.iter().map(|(kind, weight)| gets(*kind) * weight).sum();
        assert!((of_a_hundred as f64 / 100.0 - crate::systems::clinic::GETS).abs() < 1e-9, "{of_a_hundred}");
    }

    #[test]
    fn twelve_turns_request_all_twelve_pairs() {
        let pairs: HashSet<_> = (0..12).filter_map(pair).collect();
        assert_eq!(pairs.len(), 12);
    }

    #[test]
    fn one_pair_in_four_reuses_a_token_and_every_pair_comes_up() {
        assert_eq!((0..480).filter(|turn| reuses(*turn)).count(), 120);
        let pairs: HashSet<_> = (0..48).filter(|turn| reuses(*turn)).filter_map(pair).collect();
        assert_eq!(pairs.len(), 12);
    }

    #[test]
    fn a_namesake_requests_what_only_the_other_may_see() {
        for namesake in NAMESAKES {
            assert!(!crate::systems::clinic::may_see(namesake, permitted(namesake)), "{namesake:?}");
            assert!(USERS.iter().any(|user| user.name == namesake.name && crate::systems::clinic::may_see(*user, permitted(namesake))));
        }
    }
}
