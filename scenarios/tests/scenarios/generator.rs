//! What the generator counts as correct, late and finished, against servers that are wrong in a
//! known way.

use std::sync::Arc;
use std::time::Duration;

use crate::support::Server;
use load::{Arrivals, Ended, Glance, JourneyTime, Timeline};
use reports::Outcome;
use run_folder::Addresses;
use scenarios::journeys::{Around, Body, Expected, Journey, Step, Text, Times, To, ToldOf};
use scenarios::systems::Setup;
use scenarios::traffic::{self, Load, Order};
use scenarios::{Event, Exchange};

/// Requests to `server` for about a second, with `statuses` as the right ones.
fn order(server: &Server, statuses: &[u16]) -> Order {
    let half = Duration::from_millis(500);
    let journey = Journey {
        name: "orders",
        rate: 40.0,
        times: Times::Steady,
        to: To::Elsewhere(format!("http://{}/orders", server.address).parse().unwrap()),
        rows: Arc::default(),
        steps: vec![Step {
            of: "orders GET /orders",
            method: "GET",
            path: Text::literal("/orders"),
            headers: Vec::new(),
            body: Body::Empty,
            expected: Expected { statuses: statuses.to_vec(), json: Vec::new() },
            keep: Vec::new(),
            retry: None,
            pause: Duration::ZERO,
            told: ToldOf::default(),
            first_byte: None,
        }],
        around: Around::default(),
    };
    Order {
        load: Load { journeys: vec![journey], ..Load::default() },
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: Timeline { warm_up: Duration::ZERO, baseline: half, arming: Duration::ZERO, fault: half, recovery: Duration::ZERO },
        seed: 7,
        addresses: Addresses::default(),
        goose_report: None,
        journeys: JourneyTime::default(),
    }
}

async fn run(order: Order) -> (Vec<Exchange>, Glance, Ended) {
    let mut traffic = traffic::start(order).await.unwrap();
    let mut exchanges = Vec::new();
    while let Some(event) = traffic.next().await {
        if let Event::Exchange(exchange) = event {
            exchanges.push(*exchange);
        }
    }
    let glance = traffic.glance();
    (exchanges, glance, traffic.finished().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_its_request_does_not_call_right_is_an_error_with_any_status() {
    for (answer, right, expected) in [
        (429, &[200][..], Outcome::Failed),
        (404, &[200], Outcome::Failed),
        (502, &[200], Outcome::Failed),
        (302, &[200], Outcome::Failed),
        (204, &[200], Outcome::Failed),
        (200, &[200], Outcome::Answered),
        (404, &[200, 404], Outcome::Answered),
        (403, &[401, 403], Outcome::Answered),
        (200, &[401, 403], Outcome::Failed),
    ] {
        let server = Server::start(move |_| async move { (answer, String::new()) }).await;
        let (exchanges, glance, _) = run(order(&server, right)).await;
        assert_eq!(exchanges.len(), 40, "{answer}");
        assert!(exchanges.iter().all(|exchange| (exchange.outcome, exchange.status) == (expected, Some(answer))), "{answer} {right:?}");
        let failed = if expected == Outcome::Failed { 40 } else { 0 };
        assert_eq!((glance.sent, glance.answered, glance.failed), (40, 40 - failed, failed), "{answer} {right:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_because_every_user_waits_for_an_answer_are_not_the_generators_lag() {
    for (answers_after, users_wait) in [(0, false), (700, true)] {
        let server = Server::start(move |_| async move {
            tokio::time::sleep(Duration::from_millis(answers_after)).await;
            (200, String::new())
        })
        .await;
        // 8 users at 700 ms an answer serve 11 requests a second of 40.
        let order = Order { journeys: JourneyTime::Fixed(Duration::from_millis(100)), ..order(&server, &[200]) };
        let (_, _, ended) = run(order).await;
        assert_eq!(ended.waited_for_users > 0, users_wait, "{ended:?}");
        assert!(ended.waited_for_users < ended.sent, "the first eight did not wait: {ended:?}");
        if users_wait {
            assert!(ended.generator.lag_p99 < ended.longest_wait, "{ended:?}");
        }
    }
}
