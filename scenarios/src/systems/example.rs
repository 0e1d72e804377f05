//! The system of `examples/own-system`, compiled and run as if it were in the list: it is deployed and sent to, and its rule judges.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use load::{Arrivals, JourneyTime, Timeline};
use run_folder::Addresses;
use run_folder::addresses::Api;
use tokio::net::TcpListener;

use super::own_system::GreetingLoad;
use super::{Setup, SystemLoad};
use crate::traffic;
use crate::traffic::order::{Load, Order};

/// A gateway that answers everything with this status.
async fn gateway(status: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let answer = service_fn(move |_| async move { Response::builder().status(status).body(Full::<Bytes>::from("hello")) });
            tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await });
        }
    });
    address
}

fn api(address: String) -> Api {
    Api { address, stage: "/hello-api".into(), ..Api::default() }
}

/// How often its rule was checked and broken where the gateway answers with this status.
async fn judged(status: u16) -> (u64, usize) {
    let greeting: GreetingLoad = serde_json::from_str(r#"{"rate": "40/s"}"#).unwrap();
    let half = Duration::from_millis(500);
    let order = Order {
        load: Load { systems: vec![Arc::new(greeting)], ..Load::default() },
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: Timeline { warm_up: Duration::ZERO, baseline: half, arming: Duration::ZERO, fault: half, recovery: Duration::ZERO },
        seed: 7,
        addresses: Addresses { apis: [("HelloApi".to_owned(), api(gateway(status).await))].into(), ..Addresses::default() },
        goose_report: None,
        journeys: JourneyTime::default(),
    };
    let mut rules = order.load.rules(&order.setup).unwrap();
    assert_eq!(rules.iter().flat_map(|rules| rules.rules()).map(|(id, _)| id).collect::<Vec<_>>(), ["G-1"]);
    let mut traffic = traffic::start(order).await.unwrap();
    let (mut checks, mut breaches) = (0, 0);
    while let Some(event) = traffic.next().await {
        for rule in &mut rules {
            for (found, count) in rule.see(&event).0 {
                (checks, breaches) = (checks + count, breaches + found.len());
            }
        }
    }
    traffic.finished().await.unwrap();
    (checks, breaches)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_sent_to_and_its_rule_tells_a_greeting_from_a_refusal() {
    assert_eq!(judged(200).await, (40, 0));
    assert_eq!(judged(403).await, (40, 40));
    assert_eq!(judged(500).await, (40, 0));
}

#[test]
fn what_is_deployed_for_it_is_its_template() {
    let greeting: GreetingLoad = serde_json::from_str(r#"{"rate": "1/s"}"#).unwrap();
    let deployment = super::deployment([&greeting as &dyn SystemLoad], &Setup::default());
    let system = greeting.system();
    assert!(deployment.templates[0].text.contains(&format!("FunctionName: {}", system.functions()[0].0)));
    assert!(system.experiments()[0].1.contains(&format!("systems = [\"{}\"]", system.name())));
    for known in super::System::ALL.into_iter().filter(|known| known.name() != system.name()) {
        assert!(!known.numbers().any(|number| system.numbers().contains(&number)), "{}", known.name());
    }
}
