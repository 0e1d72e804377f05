//! Queues that invoke functions, with the real queues and real processes. Queues are ten times faster here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use run_folder::deployment::Seed;
use run_folder::{Compressed, Sightings};
use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use stack::platform::Function;
use stack::services::sqs::Sqs;
use stack::services::{self, Services};
use template::blueprint::{Blueprint, Mapping, Queue, RecordLimits, Redrive, Source};

use crate::platform::support::{Up, function, until, up};

const QUEUE: &str = "incoming";
const DEAD: &str = "dead";

async fn queues() -> Services {
    let queue = |name: &str, redrive| Queue {
        visibility: Duration::from_secs(4),
        retention: Duration::from_secs(3600),
        redrive,
        ..Queue::named(name)
    };
    let redrive = Some(Redrive { to: DEAD.into(), max_receives: 2 });
    let (ledger, _) = tokio::sync::mpsc::unbounded_channel();
    let settings = services::Settings {
        seed: Seed::default(),
        doors: services::Doors::open(false).await.unwrap(),
        folder: std::env::temp_dir(),
        plan: PathBuf::from("there-is-none"),
        ledger,
        blueprint: Blueprint { queues: vec![queue(QUEUE, redrive), queue(DEAD, None)], ..Blueprint::default() },
        secured: None,
        compressed: Compressed { queues: 10, expiry: 1 },
        sightings: Sightings::nowhere(),
        invoke: LateInvoke::default(),
    };
    services::start(settings).await.unwrap()
}

fn mapping(batch: u32) -> Mapping {
    Mapping {
        function: "batch".into(),
        source: Source::Queue { name: QUEUE.into(), max_concurrency: Some(2) },
        batch,
        window: Duration::ZERO,
        filters: vec![],
        partial: true,
    }
}

async fn platform() -> Up {
    // An environment starts within this time, even on a busy machine.
    up(vec![Function { concurrency: 2, timeout: Duration::from_secs(20), ..function("batch") }], Vec::new(), false).await
}

fn send(sqs: &Sqs, bodies: &[Value]) -> Vec<String> {
    bodies.iter().map(|body| sqs.send(QUEUE, body.to_string(), None).unwrap()).collect()
}

fn ids(sqs: &Sqs, queue: &str) -> Vec<String> {
    let mut ids: Vec<_> = sqs.messages(queue).into_iter().map(|message| message.id).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_wait_for_their_turn_do_not_count_as_a_slow_machine() {
    let (services, mut up) = (queues().await, platform().await);
    send(&services.sqs, &vec![json!({ "do": "sleep", "ms": 20 }); 8]);
    up.platform.map(&[mapping(1)], &services, &Sightings::nowhere()).unwrap();
    until("all messages", || services.sqs.messages(QUEUE).is_empty()).await;
    let health = up.platform.health();
    assert_eq!((health.invocations, health.queued, health.throttled), (8, 0, 0));
    assert!(health.environments <= 2, "{health:?}");
    up.down().await;
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_fails_is_retried_and_ends_in_the_dead_letter_queue() {
    let (services, mut up) = (queues().await, platform().await);
    let sent = send(&services.sqs, &[json!({ "do": "error" }), json!({}), json!({ "do": "exit" }), json!({ "do": "fail" })]);
    up.platform.map(&[mapping(1)], &services, &Sightings::nowhere()).unwrap();
    until("the dead letters", || ids(&services.sqs, DEAD).len() == 3 && services.sqs.messages(QUEUE).is_empty()).await;
    assert_eq!(ids(&services.sqs, DEAD), [&sent[0], &sent[2], &sent[3]].map(Clone::clone));
    // Each of the three twice, and the good one once.
    assert_eq!(up.platform.health().invocations, 7);
    up.down().await;
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_failed_messages_of_a_batch_are_retried() {
    let (services, mut up) = (queues().await, platform().await);
    let sent = send(&services.sqs, &[json!({}), json!({ "do": "fail" }), json!({})]);
    up.platform.map(&[mapping(3)], &services, &Sightings::nowhere()).unwrap();
    until("the dead letter", || !services.sqs.messages(DEAD).is_empty()).await;
    assert_eq!((ids(&services.sqs, DEAD), ids(&services.sqs, QUEUE)), (vec![sent[1].clone()], vec![]));
    up.down().await;
    services.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_during_an_invocation_deletes_nothing_and_leaves_no_poller() {
    let (services, mut up) = (queues().await, platform().await);
    let sent = send(&services.sqs, &[json!({ "do": "sleep", "ms": 60_000 })]);
    up.platform.map(&[mapping(1)], &services, &Sightings::nowhere()).unwrap();
    until("the invocation", || up.platform.health().invocations == 1).await;
    let sqs = Arc::clone(&services.sqs);
    up.down().await;
    assert_eq!(ids(&sqs, QUEUE), sent);
    services.stop().await;
    // The pollers have released the queues, so none is left.
    assert_eq!(Arc::strong_count(&sqs), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_cannot_be_carried_out_is_reported_at_once() {
    let (services, mut up) = (queues().await, platform().await);
    let other = |change: fn(&mut Mapping)| {
        let mut mapping = mapping(1);
        change(&mut mapping);
        mapping
    };
    let stream = Source::Stream { table: "none".into(), records: RecordLimits::default() };
    let wrong = [
        other(|mapping| mapping.function = "other".into()),
        other(|mapping| mapping.source = Source::Queue { name: "nowhere".into(), max_concurrency: None }),
        other(|mapping| mapping.filters = vec![json!({ "body": "x" })]),
        Mapping { source: stream, ..mapping(1) },
    ];
    let complaints = up.platform.map(&wrong, &services, &Sightings::nowhere()).unwrap_err().to_string();
    for part in ["mapping of other", "no queue `nowhere`", "`pattern.body`", "no table `none`"] {
        assert!(complaints.contains(part), "{part} is not in: {complaints}");
    }
    up.down().await;
    services.stop().await;
}
