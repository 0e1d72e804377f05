//! The journeys against a users API in memory behind a socket, and what the rules report when it
//! misbehaves.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Asked, Server};
use load::{Arrivals, JourneyTime, Timeline};
use run_folder::Addresses;
use run_folder::addresses::Api;
use scenarios::systems::users_api::{SHAPES, Shape, VERBS, Verb};
use scenarios::systems::{Setup, System};
use scenarios::traffic::{self, Load, Order};
use scenarios::{Event, Exchange};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sin {
    None,
    /// A create is answered, and the row is there from the next request about the user on.
    Late,
    Overwrites,
}

#[derive(Default)]
struct Users {
    rows: BTreeMap<(String, String), Value>,
    late: BTreeMap<(String, String), Value>,
}

impl Users {
    fn answer(&mut self, request: &Asked, sin: Sin) -> (u16, String) {
        let mut path = request.path.trim_start_matches('/').splitn(3, '/');
        let (stage, resource, id) = (path.next().unwrap(), path.next().unwrap(), path.next());
        assert!(SHAPES.iter().any(|shape| shape.name() == stage) && resource == "users", "{}", request.path);
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let id = id.or(body["id"].as_str()).unwrap_or_default().to_owned();
        let key = (stage.to_owned(), id);
        let answered = match (request.method.as_str(), self.rows.get(&key)) {
            ("GET", _) if key.1.is_empty() => {
                let users: Vec<_> = self.rows.iter().filter(|((of, _), _)| of == stage).map(|(_, user)| user).collect();
                (200, json!({"users": users, "next": null}).to_string())
            }
            ("GET", Some(user)) => (200, user.to_string()),
            ("POST", Some(user)) if sin != Sin::Overwrites => (if *user == body { 200 } else { 409 }, user.to_string()),
            ("POST", _) => {
                let rows = if sin == Sin::Late { &mut self.late } else { &mut self.rows };
                rows.insert(key.clone(), body.clone());
                return (201, body.to_string());
            }
            ("PUT", Some(_)) => {
                self.rows.insert(key.clone(), body.clone());
                (200, body.to_string())
            }
            ("DELETE", _) => {
                self.rows.remove(&key);
                (204, String::new())
            }
            _ => (404, json!({"message": "Not Found"}).to_string()),
        };
        if let Some(user) = self.late.remove(&key) {
            self.rows.insert(key, user);
        }
        answered
    }
}

fn load() -> Load {
    Load { systems: vec![System::UsersApi.read_load(json!({"rate": "20/s", "burst": 5})).unwrap()], ..Load::default() }
}

fn order(gateway: String) -> Order {
    let second = Duration::from_secs(1);
    let api = |shape: Shape| {
        let api = Api { address: gateway.clone(), host: gateway.clone(), stage: format!("/{}", shape.name()), key: String::new() };
        (shape.api().to_owned(), api)
    };
    let addresses = Addresses { apis: SHAPES.map(api).into(), ..Addresses::default() };
    Order {
        load: load(),
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: Timeline { warm_up: second / 2, baseline: second, arming: second / 2, fault: second / 2, recovery: second / 2 },
        seed: 7,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    }
}

async fn run(sin: Sin) -> Vec<Event> {
    let users = Arc::new(Mutex::new(Users::default()));
    let server = Server::start(move |request| {
        let answer = users.lock().unwrap().answer(&request, sin);
        async move { answer }
    })
    .await;
    let mut traffic = traffic::start(order(server.address.to_string())).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = traffic.next().await {
        events.push(event);
    }
    let ended = traffic.finished().await.unwrap();
    assert_eq!(ended.planned, ended.sent);
    events
}

/// The rules that were broken, and how many checks each made.
fn judged(events: &[Event]) -> (Vec<&'static str>, BTreeMap<&'static str, u64>) {
    let (mut broken, mut checks) = (Vec::new(), BTreeMap::new());
    for mut invariant in load().rules(&Setup::default()).unwrap() {
        let found: Vec<_> = events.iter().map(|event| invariant.see(event).0).collect();
        for (place, (id, _)) in invariant.rules().into_iter().enumerate() {
            checks.insert(id, found.iter().map(|found| found[place].1).sum());
            broken.extend(found.iter().any(|found| !found[place].0.is_empty()).then_some(id));
        }
    }
    (broken, checks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_gets_the_same_journeys_and_a_sound_api_breaks_no_rule() {
    let events = run(Sin::None).await;
    let exchanges: Vec<&Exchange> =
        events.iter().filter_map(|event| if let Event::Exchange(e) = event { Some(&**e) } else { None }).collect();
    let roots: HashSet<&str> = exchanges.iter().map(|exchange| exchange.root.as_str()).collect();
    assert_eq!(roots.len(), exchanges.len(), "every request has a root of its own");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for exchange in &exchanges {
        *counts.entry(exchange.endpoint).or_default() += 1;
    }
    // 3 s at 20/s and 5 more are 65 journeys; two of three create again: 22 and 22.
    let expected = |verb: Verb| match verb {
        Verb::Get => 3 * 65,
        Verb::Create => 65 + 44,
        Verb::List | Verb::Update | Verb::Delete => 65,
    };
    for shape in SHAPES {
        for verb in VERBS {
            assert_eq!(counts[shape.endpoint(verb)], expected(verb), "{}", shape.endpoint(verb));
        }
    }
    let (broken, checks) = judged(&events);
    assert_eq!(broken, Vec::<&str>::new());
    // Three looks and a list in each journey, and each repeated create.
    assert_eq!(checks["F-1"], 4 * 65 * 3);
    assert_eq!(checks["F-3"], 44 * 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_defect_breaks_only_its_own_rule() {
    for (sin, rule) in [(Sin::Late, "F-1"), (Sin::Overwrites, "F-3")] {
        assert_eq!(judged(&run(sin).await).0, [rule], "{sin:?}");
    }
}
