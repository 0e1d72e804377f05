//! Members who sign in, refresh, and lose the race against the end of their row. It judges nothing,
//! and no token reaches an event.

mod agenda;
pub(crate) mod by_hand;
mod door;
pub(crate) mod members;
mod people;

use std::sync::Arc;
use std::time::Duration;

use crate::systems::inactive_users::{POOL, RACERS, SIGN_INS, UsersLoad, member};
use async_trait::async_trait;
use load::chance::Chance;
use load::deck::Deck;
use load::open_model::{Arrival, Hands, Scenario, System};
use load::tokens::SignIn;
use load::{Journey, Schedule, TrafficError};
use rand::distr::Distribution;
use rand_distr::Zipf;
use rand_pcg::Pcg64Mcg;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use crate::exchange::SignInBy;
use crate::traffic::order::Order;
use crate::traffic::voice::{Line, Voice};
use crate::{Asked, Event};
use door::{Door, Refused};
use people::People;

const SIGN_IN: &str = "inactive-users sign-in";
const REFRESH: &str = "inactive-users refresh";

/// The trigger may take 5 s and is called again; most sign-ins take a few milliseconds.
const JOURNEY: Journey = Journey { time: Duration::from_secs(3), requests: 1 };

/// One in ten is a refresh.
const WEIGHTS: [(SignInBy, usize); 2] = [(SignInBy::Password, 9), (SignInBy::Refresh, 1)];

/// The exponent of Zipf's law: the second most active member signs in half as often as the first.
const EXPONENT: f64 = 1.0;

/// How many connections prepare the pool.
const PREPARING: usize = 8;

/// What all sign-ins share.
struct Teller {
    voice: Voice,
    client: String,
    sign_in: SignIn,
}

impl Teller {
    async fn say(&self, hands: &mut Hands<'_>, arrival: Arrival, user: String, by: SignInBy, body: Value) {
        let headers =
            vec![("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")];
        let endpoint = if by == SignInBy::Password { SIGN_IN } else { REFRESH };
        let asked = Asked::SignIn { user, by };
        let line = Line { endpoint, method: "POST", path: "/".to_owned(), headers, body: body.to_string(), asked };
        // `None` only means that the run was stopped.
        let _ = self.voice.say(hands, arrival, 0, arrival.due, line).await;
    }
}

/// The scenario of members who sign in and refresh.
pub(crate) struct SignIns {
    teller: Teller,
    seed: u64,
    people: People,
    deck: Deck<SignInBy>,
    /// The refresh tokens of the members who only refresh, by rank.
    tokens: Vec<String>,
}

/// The scenario of members who sign in just after their row has ended.
struct Racers {
    teller: Teller,
    /// In the order of their sign-ins.
    racers: Vec<String>,
}

/// How many members the pool needs for `load`.
pub(crate) fn members(load: &UsersLoad) -> u32 {
    People::new(load).count()
}

/// Signs in the members who only refresh from then on. On this machine it creates the missing members first, and members race against the end of
/// their row: elsewhere members are seeded, and rows end when the service says.
pub(crate) async fn prepare(order: &Order, load: &UsersLoad, events: &UnboundedSender<Event>) -> Result<Vec<System>, TrafficError> {
    let people = People::new(load);
    let failed = |refused: Refused| TrafficError::Preparation(format!("the members could not be made ready: {refused}"));
    let is_local = order.addresses.is_local();
    if is_local {
        let members: Vec<String> = (0..people.count()).map(member).collect();
        let created = each(order, members, |mut door, user| async move { (door.create(&user).await, door) }).await?;
        created.into_iter().collect::<Result<Vec<()>, _>>().map_err(failed)?;
    }
    let (client, sign_in) = (order.pool(POOL)?.client_id.clone(), SignIn::at(&order.addresses));
    let tokens = refresh_tokens(&people, &client, &sign_in).await?;
    let teller = |system: u64| Teller { voice: voice(order, events, system), client: client.clone(), sign_in: sign_in.clone() };
    let racers = if is_local { racers(order, &people, teller(RACERS)) } else { None };
    let scenario = SignIns { teller: teller(SIGN_INS), seed: order.seed, deck: Deck::new(order.seed, &WEIGHTS), people, tokens };
    Ok(std::iter::once(signing_in(order, load, scenario)).chain(racers).collect())
}

/// The refresh tokens of the members who only refresh, by rank.
async fn refresh_tokens(people: &People, client: &str, sign_in: &SignIn) -> Result<Vec<String>, TrafficError> {
    let refreshers: Vec<String> = (0..people.refreshing()).map(|rank| member(people.refresher(rank))).collect();
    let mut tokens = Vec::with_capacity(refreshers.len());
    for some in refreshers.chunks(PREPARING) {
        let given = some.iter().map(|user| async move {
            let token = sign_in.tokens(client, user).await?.refresh_token;
            token.ok_or_else(|| TrafficError::Preparation(format!("the sign-in of `{user}` gave no refresh token")))
        });
        tokens.extend(futures::future::try_join_all(given).await?);
    }
    Ok(tokens)
}

/// Where members sign in.
fn address(order: &Order) -> &str {
    &order.addresses.sign_in
}

fn voice(order: &Order, events: &UnboundedSender<Event>, system: u64) -> Voice {
    let host = address(order);
    let host = host.strip_prefix("https://").unwrap_or(host).to_owned();
    Voice { events: events.clone(), seed: order.seed, system, host, stage: String::new(), stamped: true, tokens: order.load.tokens.clone() }
}

/// Runs `work` for each user over a few parallel connections; the results are in the order of the
/// users.
async fn each<T, F, W>(order: &Order, users: Vec<String>, work: F) -> Result<Vec<Result<T, Refused>>, TrafficError>
where
    F: Fn(Door, String) -> W,
    W: Future<Output = (Result<T, Refused>, Door)>,
{
    let size = users.len().div_ceil(PREPARING).max(1);
    let doors = users.chunks(size).map(|_| Door::new(&order.addresses)).collect::<Result<Vec<_>, _>>()?;
    let work = &work;
    let parts = users.chunks(size).zip(doors).map(|(users, mut door)| async move {
        let mut results = Vec::with_capacity(users.len());
        for user in users {
            let (result, back) = work(door, user.clone()).await;
            door = back;
            let failed = result.is_err();
            results.push(result);
            if failed {
                break;
            }
        }
        results
    });
    Ok(futures::future::join_all(parts).await.into_iter().flatten().collect())
}

/// The sign-ins at their rate. In the middle of the baseline and of the fault phase, a burst as
/// large as a second's worth comes at once.
fn signing_in(order: &Order, load: &UsersLoad, scenario: SignIns) -> System {
    let timeline = order.timeline;
    let burst = load.rate.0.max(0.0).ceil() as usize;
    let times = [timeline.recording_from() + timeline.baseline / 2, timeline.fault_from() + timeline.fault / 2];
    let bursts = times.into_iter().flat_map(|at| std::iter::repeat_n(at, burst));
    let schedule = Schedule::new(order.arrivals, load.rate.0, timeline.end(), order.seed, SIGN_INS).with(bursts);
    let users = order.users(load.rate.0, JOURNEY) + burst.min(1_000);
    System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address: address(order).to_owned() }
}

fn racers(order: &Order, people: &People, teller: Teller) -> Option<System> {
    if people.racers.is_empty() {
        return None;
    }
    let race = |(n, number)| (people.race(&order.timeline, order.seed, n).1, member(number));
    let mut race: Vec<(Duration, String)> = (0..).zip(people.racers.clone()).map(race).collect();
    race.sort();
    let (times, racers): (Vec<Duration>, Vec<String>) = race.into_iter().unzip();
    let users = order.users(racers.len() as f64 / order.timeline.fault.as_secs_f64().max(1.0), JOURNEY);
    let schedule = Schedule::Drawn(Vec::new()).with(times);
    let scenario = Racers { teller, racers };
    Some(System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address: address(order).to_owned() })
}

impl SignIns {
    /// The member who arrives, how, and the body to send.
    fn visitor(&self, number: u64) -> Option<(String, SignInBy, Value)> {
        let (by, _) = self.deck.draw(number)?;
        let rank = |of: u32| rank(self.seed, number, of);
        if by == SignInBy::Refresh && self.people.refreshing() > 0 {
            let rank = rank(self.people.refreshing())?;
            let token = self.tokens.get(usize::try_from(rank).ok()?)?;
            return Some((member(self.people.refresher(rank)), by, door::refresh(&self.teller.client, token)));
        }
        let user = member(self.people.signer(rank(self.people.signing_in())?));
        let body = self.teller.sign_in.body(&self.teller.client, &user);
        Some((user, SignInBy::Password, body))
    }
}

/// The rank, from 0, of the member in arrival `number`, drawn from `of` members by Zipf's law.
fn rank(seed: u64, number: u64, of: u32) -> Option<u32> {
    let mut chance = Chance::new(&[seed, 0x21bf, number]);
    let mut random = Pcg64Mcg::new((u128::from(chance.number()) << 64 | u128::from(chance.number())) | 1);
    let drawn = Zipf::new(f64::from(of), EXPONENT).ok()?.sample(&mut random);
    Some((drawn as u32).clamp(1, of) - 1)
}

#[async_trait]
impl Scenario for SignIns {
    fn name(&self) -> &'static str {
        "inactive-users"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let Some((user, by, body)) = self.visitor(arrival.number) else { return };
        self.teller.say(hands, arrival, user, by, body).await;
    }
}

#[async_trait]
impl Scenario for Racers {
    fn name(&self) -> &'static str {
        "racers"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let Some(user) = usize::try_from(arrival.number).ok().and_then(|n| self.racers.get(n)).cloned() else { return };
        let body = self.teller.sign_in.body(&self.teller.client, &user);
        self.teller.say(hands, arrival, user, SignInBy::Password, body).await;
    }
}

#[cfg(test)]
mod tests {
    use crate::traffic::Tokens;
    use std::collections::BTreeMap;

    use run_folder::Addresses;

    use super::*;
    use crate::units::Rate;

    fn sign_ins(members: u32) -> SignIns {
        let load = UsersLoad { rate: Rate(10.0), members, cohorts: vec![], racers: 0 };
        let people = People::new(&load);
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        let voice =
            Voice { events, seed: 7, system: 2, host: String::new(), stage: String::new(), stamped: true, tokens: Tokens::default() };
        let tokens = (0..people.refreshing()).map(|rank| format!("token-{rank}")).collect();
        SignIns {
            teller: Teller { voice, client: "c".into(), sign_in: SignIn::at(&Addresses::default()) },
            seed: 7,
            deck: Deck::new(7, &WEIGHTS),
            people,
            tokens,
        }
    }

    #[test]
    fn one_in_ten_refreshes_and_never_signs_in_and_low_ranks_come_most_often() {
        let sign_ins = sign_ins(1_000);
        let mut by: BTreeMap<String, BTreeMap<bool, u32>> = BTreeMap::new();
        for number in 0..10_000 {
            let (user, how, body) = sign_ins.visitor(number).unwrap();
            *by.entry(user.clone()).or_default().entry(how == SignInBy::Refresh).or_default() += 1;
            let known = body["AuthParameters"]["USERNAME"].as_str();
            assert_eq!(known.is_none(), how == SignInBy::Refresh, "{body}");
            assert_eq!(sign_ins.visitor(number).unwrap().0, user);
        }
        assert!(by.values().all(|ways| ways.len() == 1), "nobody does both");
        let of = |refresh| by.values().filter_map(|ways| ways.get(&refresh)).sum::<u32>();
        assert_eq!((of(true), of(false)), (1_000, 9_000));
        let most = |user: &str| by[user].values().sum::<u32>();
        // Zipf among 950: the first has 1/7.4 of 9,000, the second half of that.
        assert!((1_050..1_400).contains(&most("member-00000")), "{}", most("member-00000"));
        assert!((500..740).contains(&most("member-00001")), "{}", most("member-00001"));
        assert!(by.len() > 500, "{}", by.len());
    }

    #[test]
    fn a_small_pool_has_no_member_who_only_refreshes() {
        let sign_ins = sign_ins(3);
        assert!((0..100).all(|number| sign_ins.visitor(number).unwrap().1 == SignInBy::Password));
    }
}
