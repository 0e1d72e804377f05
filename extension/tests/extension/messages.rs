//! Functions that queues and streams invoke: a message that is delivered again is struck again,
//! sixteen at a time, and the ledger has its id.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::support::{Extension, Platform, Runtime, event, plan, until};
use faults::ledger::Eligible;
use faults::{Arm, Identity, Plan};

const POLLERS: usize = 16;
/// Each comes twice, as it would after its visibility timeout.
const MESSAGES: usize = 2_000;
/// As long as Lambda allows, so that no deadline is reached on a busy machine.
const LONG: Duration = Duration::from_secs(900);

fn by_message(name: &str, share: f64, when: &str, kind: &str) -> String {
    format!(r#"{{"name":"{name}","place":{{"function":"f"}},"share":{share},"by":"message","when":{when},"kind":{kind}}}"#)
}

fn message(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// An event of one message as a queue sends it.
fn delivery(message: &str, count: usize) -> String {
    format!(
        r#"{{"Records":[{{"messageId":"{message}","receiptHandle":"r","body":"hello","attributes":{{"ApproximateReceiveCount":"{count}"}},"messageAttributes":{{}},"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:123456789012:incoming","awsRegion":"us-east-1"}}]}}"#
    )
}

fn request_id(n: usize, count: usize) -> String {
    format!("id-{n}-{count}")
}

/// Each delivery has its own trace.
fn root(n: usize, count: usize) -> String {
    format!("1-{count:08}-{n:024}")
}

/// Handles events until the end.
async fn poll(mut runtime: Runtime) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let got = runtime.next().await;
        let id = got.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
        assert_eq!(runtime.respond(&id, b"{}").await.status(), 202);
        if got.body == b"end" {
            return seen;
        }
        seen.push(id);
    }
}

fn lines_by_request(extension: &Extension) -> BTreeMap<String, Vec<Eligible>> {
    let mut book: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for entry in extension.entries() {
        for line in entry.eligible() {
            book.entry(line.request_id.clone()).or_default().push(line);
        }
    }
    book
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_pollers_strike_every_delivery_of_a_message_alike() {
    let slow = r#"{"name":"slow","place":{"function":"f"},"share":0.5,"when":{"source-arn":"*"},"kind":{"latency":{"time":"1ms"}}}"#;
    let first = r#"{"pointer":{"/Records/0/attributes/ApproximateReceiveCount":"1"}}"#;
    let text = plan(
        1,
        60_000,
        &[
            by_message("refuse", 0.2, r#"{"source-arn":"*"}"#, r#"{"error":{"type":"Brownout.Refused"}}"#),
            slow.to_owned(),
            by_message("lose-first", 0.3, first, r#"{"error":{"type":"Brownout.Lost","handler-runs":true}}"#),
        ],
    );
    let decided = Plan::read(text.as_bytes()).unwrap();
    let struck = |fault: usize, identity: &str| decided.faults[fault].decide(decided.seed, Identity(identity)).arm == Arm::Treatment;

    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{text}"))).await;
    let mut pollers = Vec::new();
    for _ in 0..POLLERS {
        pollers.push(tokio::spawn(poll(extension.connect().await)));
    }
    for count in [1, 2] {
        for n in 0..MESSAGES {
            platform.send(event(&request_id(n, count), &root(n, count), LONG, delivery(&message(n), count).as_bytes()));
        }
    }
    for n in 0..POLLERS {
        platform.send(event(&format!("end-{n}"), &root(n, 3), LONG, b"end"));
    }
    let mut seen = HashSet::new();
    for poller in pollers {
        seen.extend(poller.await.unwrap());
    }
    // Two deliveries of each, and the line of the cold start.
    let is_complete = || extension.line_count() > MESSAGES * 2;
    let book = until("the ledger is complete", || is_complete().then(|| lines_by_request(&extension))).await;
    assert_eq!(book.values().map(Vec::len).sum::<usize>(), MESSAGES * 5, "the last events are not messages: no fault applies to them");
    for n in 0..MESSAGES {
        let refused = struck(0, &message(n));
        for count in [1, 2] {
            let id = request_id(n, count);
            assert_eq!(seen.contains(&id), !refused, "{id}");
            let mut told: Vec<_> =
                book[&id].iter().map(|line| (line.fault.as_str(), line.arm == Arm::Treatment, line.message.clone())).collect();
            let mut expected = vec![("refuse", refused, Some(message(n))), ("slow", struck(1, &root(n, count)), None)];
            if count == 1 {
                expected.push(("lose-first", struck(2, &message(n)), Some(message(n))));
            }
            // The faults in the control arm come last.
            told.sort();
            expected.sort();
            assert_eq!(told, expected, "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_without_a_message_is_struck_by_its_trace() {
    let text = plan(1, 60_000, &[by_message("refuse", 0.5, "{}", r#"{"error":{"type":"Brownout.Refused"}}"#)]);
    let fault = Plan::read(text.as_bytes()).unwrap().faults.remove(0);
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{text}"))).await;
    let mut runtime = extension.connect().await;
    let is_struck = |root: &str| fault.decide(7, Identity(root)).arm == Arm::Treatment;
    let roots: Vec<_> = (0..20).map(|n| root(n, 1)).chain((0..).map(|n| root(n, 2)).find(|root| !is_struck(root))).collect();
    for (n, root) in roots.iter().enumerate() {
        platform.send(event(&format!("id-{n}"), root, LONG, br#"{"Records":[{"messageId":"not an id"}]}"#));
    }
    for (n, _) in roots.iter().enumerate().filter(|(_, root)| !is_struck(root)) {
        let id = format!("id-{n}");
        assert_eq!(runtime.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some(id.as_str()));
        runtime.respond(&id, b"{}").await;
    }
    for (n, root) in roots.iter().enumerate() {
        let line = extension.eligible(&format!("id-{n}"), 1).await.remove(0);
        assert_eq!((line.arm == Arm::Treatment, line.of.message, line.root.as_deref()), (is_struck(root), None, Some(root.as_str())));
    }
}
