//! The load for the audit against a minimal API: it accepts records, refuses those without a key,
//! and sometimes gives an answer that does not settle a record.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Asked as Request, Server};
use bytes::Bytes;
use load::{Arrivals, JourneyTime, Timeline};
use run_folder::Addresses;
use run_folder::addresses::Api;
use scenarios::exchange::{Asked, Record, RecordForm, Verdict};
use scenarios::systems::audit::API;
use scenarios::systems::{Setup, System};
use scenarios::traffic::{self, Load, Order};
use scenarios::{Event, Exchange};
use serde_json::{Value, json};

const KEY: &str = "the-key-of-this-test";

/// What was received: the root of the trace, the body, and the status of the answer.
type Came = Arc<Mutex<Vec<(String, Bytes, u16)>>>;

/// With every tenth record, the first request is answered 502; with every other tenth, each request
/// is.
fn answer(request: &Request, came: &Came) -> u16 {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/prod/records"));
    let record: Value = serde_json::from_slice(&request.body).unwrap();
    let id = record["sourceTransactionID"].as_str().unwrap();
    let mut came = came.lock().unwrap();
    let is_first = !came.iter().any(|(_, body, _)| *body == request.body);
    let status = match request.key.as_deref() {
        Some(KEY) if id.ends_with('5') || (id.ends_with('0') && is_first) => 502,
        Some(KEY) => 200,
        _ => 403,
    };
    came.push((request.trace.clone().unwrap(), request.body.clone(), status));
    status
}

fn timeline() -> Timeline {
    let half = Duration::from_millis(500);
    Timeline { warm_up: half, baseline: half * 2, arming: half, fault: half * 4, recovery: half }
}

fn addresses(gateway: String) -> Addresses {
    let api = Api { address: gateway.clone(), host: gateway, stage: "/prod".into(), key: KEY.into() };
    Addresses { apis: [(API.to_owned(), api)].into(), ..Addresses::default() }
}

async fn run(seed: u64) -> (Vec<Exchange>, Vec<(String, Bytes, u16)>, u64) {
    let came: Came = Arc::default();
    let told = Arc::clone(&came);
    let api = Server::start(move |request| {
        let status = answer(&request, &told);
        async move { (status, "{}".to_owned()) }
    })
    .await;
    let shares = json!({"rate": "20/s", "largest": "48KiB", "repeats": 0.1, "bad-dates": 0.06, "not-base64": 0.06, "bad-keys": 0.06});
    let load = Load { systems: vec![System::Audit.read_load(shares).unwrap()], ..Load::default() };
    let addresses = addresses(api.address.to_string());
    let order = Order {
        load,
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: timeline(),
        seed,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    };
    let mut traffic = traffic::start(order).await.unwrap();
    let mut exchanges = Vec::new();
    while let Some(event) = traffic.next().await {
        if let Event::Exchange(exchange) = event {
            exchanges.push(*exchange);
        }
    }
    let sent = traffic.glance().sent;
    traffic.finished().await.unwrap();
    let came = came.lock().unwrap().clone();
    (exchanges, came, sent)
}

fn record(exchange: &Exchange) -> &Record {
    let Asked::Record(record) = &exchange.asked else { panic!("{exchange:?}") };
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_sent_as_reported_and_unsettled_ones_are_sent_again() {
    let (exchanges, came, sent) = run(7).await;
    assert_eq!((exchanges.len(), exchanges.len() as u64), (came.len(), sent));
    let bodies: HashMap<String, &Bytes> = came.iter().map(|(trace, body, _)| (trace.replace("Root=", ""), body)).collect();
    let mut by_arrival: BTreeMap<(&str, bool), Vec<&Exchange>> = BTreeMap::new();
    for exchange in &exchanges {
        let record = record(exchange);
        let body: Value = serde_json::from_slice(bodies[&exchange.root]).unwrap();
        assert_eq!(body["sourceTransactionID"], record.id.as_str());
        assert_eq!(record.etag.as_ref().map(String::len), Some(32));
        let expected = if matches!(record.form, RecordForm::NoKey | RecordForm::WrongKey) { Some(403) } else { None };
        assert!(expected.is_none_or(|status| exchange.status == Some(status)), "{exchange:?}");
        by_arrival.entry((&record.id, record.repeats)).or_default().push(exchange);
    }
    // 90 at 20 a second in 4.5 s.
    let firsts = exchanges.iter().filter(|exchange| record(exchange).attempt == 0).count();
    assert_eq!(firsts, 90);
    let mut again = BTreeSet::new();
    for ((id, repeats), exchanges) in &by_arrival {
        let is_repeated_twice = *repeats && exchanges.iter().filter(|exchange| record(exchange).attempt == 0).count() > 1;
        for pair in exchanges.windows(2).filter(|_| !is_repeated_twice) {
            assert_eq!(Verdict::of(pair[0].status), Verdict::Unknown, "{id} was sent again without need");
            assert_eq!(record(pair[1]).attempt, record(pair[0]).attempt + 1);
            assert!(pair[1].sent >= pair[0].done + Duration::from_secs(1), "not at once");
            assert_eq!(record(pair[0]).etag, record(pair[1]).etag, "the same bytes");
            again.insert(record(pair[1]).attempt);
        }
        assert!(record(exchanges[exchanges.len() - 1]).attempt <= 2, "twice at the most");
    }
    assert_eq!(again, BTreeSet::from([1, 2]), "once where that is enough, twice where it is not");
    let repeated = exchanges.iter().filter(|exchange| record(exchange).repeats).count();
    assert!((7..=14).contains(&repeated), "{repeated}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_nothing_is_sent() {
    let load = Load { systems: vec![System::Audit.read_load(json!({"rate": "1/s"})).unwrap()], ..Load::default() };
    let mut addresses = addresses("127.0.0.1:9".into());
    addresses.apis.get_mut(API).unwrap().key.clear();
    let order = Order {
        load,
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: timeline(),
        seed: 7,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    };
    let error = traffic::start(order).await.err().unwrap();
    assert!(error.to_string().contains("no key of `AuditApi`"), "{error}");
}
