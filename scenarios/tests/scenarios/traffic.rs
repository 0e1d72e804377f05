//! The whole traffic against a minimal stack: a gateway, a sign-in, a broker.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use crate::support::broker::Broker;
use crate::support::{Asked as Request, Server, sign_in};
use load::{Arrivals, JourneyTime, Timeline};
use run_folder::Addresses;
use run_folder::addresses::{Api, Pool};
use scenarios::exchange::{Asked, Caller, ClinicToken, ThermostatRequest};
use scenarios::invariants::Quiet;
use scenarios::systems::{Setup, System};
use scenarios::traffic::{self, Load, Order};
use scenarios::{Event, Exchange};
use serde_json::{Value, json};

fn gateway(request: &Request, broker: &Broker) -> (u16, String) {
    assert!(request.trace.as_deref().is_some_and(|trace| trace.starts_with("Root=1-")));
    if request.path == "/prod/items" {
        return (200, json!([{"deviceId": "Thermostat1", "primaryOwner": "john_doe"}]).to_string());
    }
    if let Some(thing) = request.path.strip_prefix("/prod/control/") {
        let Ok(said) = serde_json::from_slice::<Value>(&request.body) else { return (400, String::new()) };
        let mut shadows = broker.shadows.lock().unwrap();
        let evaluation = json!({"decision": "ALLOW", "determiningPolicies": [], "errors": []});
        if said["action"] == "SetTemperature" {
            shadows.desire(thing, &json!({"temperature": said["temperature"], "power": said["power"], "mode": said["mode"]}));
            return (200, json!({"payload": {}, "evaluation": evaluation}).to_string());
        }
        return (200, json!({"payload": {"reportedTemperature": shadows.reported.get(thing)}, "evaluation": evaluation}).to_string());
    }
    let id = request.path.strip_prefix("/dev/appointment/").expect("a path of the contract");
    match &request.authorization {
        None => (401, json!({"message": "Unauthorized"}).to_string()),
        Some(_) => (200, json!({"appointment": {"id": id}}).to_string()),
    }
}

async fn stack() -> (Server, Server, Arc<Broker>, Addresses) {
    let broker = Arc::new(Broker::start().await);
    let other = Arc::clone(&broker);
    let cloud = Server::start(|request| {
        let answer = sign_in::answer(&request);
        async move { answer }
    })
    .await;
    let door = Server::start(move |request| {
        let answer = gateway(&request, &other);
        async move { answer }
    })
    .await;
    let pool = |name: &str| Pool {
        name: name.to_owned(),
        id: format!("us-east-1_{name}"),
        client_id: format!("client-{name}"),
        other_client_id: format!("other-{name}"),
        issuer: String::new(),
    };
    let at = door.address.to_string();
    let api = |stage: &str| Api { address: at.clone(), host: at.clone(), stage: stage.to_owned(), key: String::new() };
    let addresses = Addresses {
        apis: [("ThermostatApi", "/prod"), ("ClinicApi", "/dev")].map(|(name, stage)| (name.to_owned(), api(stage))).into(),
        services: cloud.address.to_string(),
        sign_in: cloud.address.to_string(),
        mqtt: broker.address.to_string(),
        pools: ["thermostat", "clinic-internal", "clinic-external"].map(pool).to_vec(),
        ..Addresses::default()
    };
    (cloud, door, broker, addresses)
}

fn order(addresses: Addresses, seed: u64, dies: bool) -> Order {
    let second = Duration::from_secs(1);
    Order {
        load: Load {
            systems: vec![
                System::Thermostat.read_load(json!({"rate": "50/s", "homes": 4})).unwrap(),
                System::Clinic.read_load(json!({"rate": "50/s"})).unwrap(),
            ],
            ..Load::default()
        },
        setup: Setup { weaknesses: dies.then(|| "device-dies-on-reject".to_owned()).into_iter().collect(), ..Setup::default() },
        arrivals: Arrivals::Constant,
        timeline: Timeline { warm_up: second, baseline: second, arming: second / 2, fault: second, recovery: second / 2 },
        seed,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    }
}

fn clinic(exchange: &Exchange) -> Option<(&ClinicToken, &Option<&'static str>, &String)> {
    match &exchange.asked {
        Asked::Clinic { token, client_type, appointment } => Some((token, client_type, appointment)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_run_makes_every_kind_of_request_adds_up_and_settles() {
    let (_cloud, _door, broker, addresses) = stack().await;
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("goose.json");
    let order = Order { goose_report: Some(report.clone()), ..order(addresses.clone(), 7, false) };
    let mut traffic = traffic::start(order).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = traffic.next().await {
        events.push(event);
    }
    traffic.quiet().await;
    while let Some(event) = traffic.next().await {
        events.push(event);
    }
    let mut quiet = Quiet::default();
    traffic.at_rest(&mut quiet).await.unwrap();
    assert_eq!(quiet.shadows.len(), 8);
    let glance = traffic.glance();
    let ended = traffic.finished().await.unwrap();

    let exchanges: Vec<&Exchange> =
        events.iter().filter_map(|event| if let Event::Exchange(e) = event { Some(&**e) } else { None }).collect();
    assert_eq!(glance.sent as usize, exchanges.len());
    assert_eq!(glance.sent, glance.answered + glance.failed);
    assert_eq!(ended.planned, ended.sent);
    let roots: HashSet<&str> = exchanges.iter().map(|exchange| exchange.root.as_str()).collect();
    assert_eq!(roots.len(), exchanges.len(), "every request has a root of its own");
    let mut endpoints = BTreeMap::new();
    for exchange in &exchanges {
        *endpoints.entry(exchange.endpoint).or_insert(0) += 1;
        assert!(exchange.due <= exchange.sent && exchange.sent <= exchange.done);
    }
    println!("{endpoints:?} {:?}", ended.generator);
    assert_eq!(endpoints.len(), 7, "{endpoints:?}");
    // 200 arrivals are two blocks: 140 pairs, 30 twice, 4 of an unknown id; and 10, 6, 6; and 4.
    assert_eq!((endpoints["clinic GET /appointment/{id}"], endpoints["clinic hostile"]), (204, 22));
    assert_eq!(endpoints["clinic POST /appointment/{id}"], 4);
    assert_eq!(endpoints["thermostat hostile"], 20);
    assert!((ended.generator.intended_per_s - 100.0).abs() < 1.0 && (ended.generator.achieved_per_s - 100.0).abs() < 5.0);
    assert!(events.iter().any(|event| matches!(event, Event::Converged { .. })));
    assert!(events.iter().any(|event| matches!(event, Event::DeviceProvoked { .. })));
    assert!(!events.iter().any(|event| matches!(event, Event::DeviceEnded { .. })));
    let bad: HashSet<&str> = exchanges
        .iter()
        .filter_map(|e| clinic(e))
        .filter_map(|(token, ..)| if let ClinicToken::Bad { what, .. } = token { Some(*what) } else { None })
        .collect();
    assert_eq!(bad.len(), 5, "{bad:?}");
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("POST /control/{id} Set"), "goose counts the requests in its own rows");
    for (thing, temperature) in &broker.shadows.lock().unwrap().reported {
        assert!(temperature.is_i64(), "{thing} {temperature}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_makes_the_same_requests_and_a_weak_device_ends() {
    let mut runs = Vec::new();
    for seed in [7, 7, 8] {
        let (_cloud, _door, _broker, addresses) = stack().await;
        let mut traffic = traffic::start(order(addresses, seed, true)).await.unwrap();
        let mut made = HashSet::new();
        let mut ended = 0;
        while let Some(event) = traffic.next().await {
            match event {
                // How often an owner looks again depends on the device; everything else only on the
                // seed.
                Event::Exchange(exchange)
                    if !matches!(exchange.asked, Asked::Thermostat { request: ThermostatRequest::Get { .. }, .. }) =>
                {
                    let bad = matches!(exchange.asked, Asked::Thermostat { caller: Caller::Forged(_), .. });
                    made.insert((exchange.root, exchange.path, exchange.endpoint, bad));
                }
                Event::DeviceEnded { .. } => ended += 1,
                _ => {}
            }
        }
        traffic.finished().await.unwrap();
        assert!(ended > 0, "no weak device ended");
        runs.push(made);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
