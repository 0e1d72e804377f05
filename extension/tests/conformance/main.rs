//! The transparency suite: with no fault in force it must not be possible to tell that there is a
//! proxy between a runtime and the Runtime API. It tests the real binary, or the proxy that the
//! environment names. It must never require anything that a mock that answers directly does not
//! pass.
//!
//! - `CONFORMANCE_PROXY=host:port`: where the other proxy listens; needs one of
//! - `CONFORMANCE_COMMAND`: the command that starts it, by `sh -c`, for each case; it finds the
//!   mock in `AWS_LAMBDA_RUNTIME_API`;
//! - `CONFORMANCE_UPSTREAM=host:port`: where it sends, if it is started by hand, within a minute of
//!   the suite. The mock listens there (also with a command, if the proxy cannot read the
//!   variable).
//! - `CONFORMANCE_HOLD_SECONDS`: how long a `next` waits for its event, 5 by default.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cases;
mod faulty_proxy;
mod findings;
mod messages;
mod platform;
mod runtime;
mod subject;
mod suite;
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use findings::FINDINGS;
use subject::Subject;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_conforms() {
    let subject = Subject::from_environment().unwrap_or_else(|why| panic!("{why}"));
    let turns = Arc::new(Semaphore::new(subject.at_once()));
    let results = suite::run(subject, turns).await.unwrap_or_else(|why| panic!("{why}"));
    println!("{}", results.table());
    assert_eq!(results.failed(), Vec::<&str>::new());
}

/// Faults that read every event to its end and strike none.
const ARMED: &str = r#"
    {"name":"left alone","place":{"function":"f"},"share":0,"kind":{"latency":{"time":"1s"}}},
    {"name":"elsewhere","place":{"function":"f"},"share":1,"when":{"path":"/nowhere","pointer":{"/nothing/0":1}},"kind":{"error":{}}}"#;

/// A fault that strikes every event without changing it.
const STRUCK: &str = r#"{"name":"late","place":{"function":"f"},"share":1,"kind":{"latency":{"at":"before","time":"1ms"}}}"#;

async fn conforms_with(faults: &'static str) {
    let plan = faults::Plan::read(subject::plan(faults).as_bytes()).unwrap();
    assert!(plan.left(None, std::time::SystemTime::now()).is_some_and(|left| !left.is_zero()), "it is not in force");
    let results = suite::run(Subject::Extension(faults), Arc::new(Semaphore::new(6))).await.unwrap();
    assert!(results.failed().is_empty(), "{}", results.table());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extension_conforms_with_a_plan_that_reads_every_event() {
    conforms_with(ARMED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extension_conforms_while_it_strikes() {
    conforms_with(STRUCK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mock_that_answers_directly_conforms() {
    let results = suite::run(Subject::Nothing, Arc::new(Semaphore::new(6))).await.unwrap();
    assert!(results.failed().is_empty(), "the suite is wrong:\n{}", results.table());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_with_a_bug_fails_exactly_the_cases_that_find_it() {
    let mut never_failed: BTreeSet<&str> = cases::CASES.iter().map(|case| case.name).collect();
    // In parallel: most of the time is spent waiting for something that never comes.
    let turns = Arc::new(Semaphore::new(16));
    let tried: Vec<_> = FINDINGS.iter().map(|(bug, _)| tokio::spawn(suite::run(Subject::FaultyProxy(*bug), Arc::clone(&turns)))).collect();
    let mut wrong = Vec::new();
    for ((bug, against), results) in FINDINGS.iter().zip(tried) {
        let results = results.await.unwrap().unwrap();
        let failed = BTreeSet::from_iter(results.failed());
        let wanted: BTreeSet<&str> = against.iter().copied().collect();
        never_failed.retain(|name| !failed.contains(name));
        if failed != wanted {
            let (more, less) = (failed.difference(&wanted).collect::<Vec<_>>(), wanted.difference(&failed).collect::<Vec<_>>());
            wrong.push(format!("{bug:?} fails {more:?} too, and does not fail {less:?}\n{}", results.failures()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(never_failed.is_empty(), "no bug is found by {never_failed:#?}");
}

#[test]
fn every_case_has_a_unique_name() {
    let names: BTreeSet<&str> = cases::CASES.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases::CASES.len());
    assert!(names.iter().all(|name| !name.contains('\n')));
}
