//! What FIS needs is created once, despite a failure at any call, and what already exists is
//! reused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../exports/tests/support/example.rs"]
mod example;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::Patience;
use aws::fis::{Actions, Fis, Status};
use aws_sdk_lambda::config::{Credentials, Region};
use control_plane::{Accident, Scripted};
use exports::Experiment;

const HOLD: Duration = Duration::from_secs(220);

async fn fis() -> (Fis, Arc<Mutex<Scripted>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let plane = Arc::new(Mutex::new(Scripted::default()));
    tokio::spawn(control_plane::serve(listener, Arc::clone(&plane)));
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).endpoint_url(endpoint).region(Region::new("us-east-1"));
    let config = config.credentials_provider(Credentials::new("test", "test", None, None, "test")).load().await;
    let pause = Duration::from_millis(1);
    (Fis::new(&config, Patience { total: Duration::from_secs(10), first: pause, most: pause }), plane)
}

fn changed() -> Experiment {
    Experiment { question: "Another one?".into(), ..example::experiment() }
}

/// The numbers of document versions, templates and parameters, and the default version.
fn counted(plane: &Mutex<Scripted>) -> (usize, usize, usize, usize) {
    let plane = &plane.lock().unwrap().plane;
    let document = plane.documents.values().next().unwrap();
    assert!(plane.documents.len() == 1 && document.content().is_some());
    (document.versions.len(), plane.templates.len(), plane.parameters.len(), document.default)
}

#[tokio::test]
async fn what_exists_is_reused_and_a_changed_document_becomes_the_default() {
    let (fis, plane) = fis().await;
    let first = fis.prepare(&example::experiment(), HOLD).await.unwrap();
    assert_eq!(counted(&plane), (1, 1, 1, 1));
    let second = fis.prepare(&example::experiment(), HOLD).await.unwrap();
    assert_eq!((counted(&plane), &second.template), ((1, 1, 1, 1), &first.template));
    assert!(second.said.iter().all(|line| line.contains("there already")), "{:?}", second.said);
    // The document contains the question, and so does the template.
    let third = fis.prepare(&changed(), HOLD).await.unwrap();
    assert_eq!(counted(&plane), (2, 2, 1, 2));
    let longer = fis.prepare(&changed(), HOLD * 2).await.unwrap();
    assert_eq!(counted(&plane), (2, 3, 1, 2));
    assert_ne!(third.template, longer.template);
    let back = fis.prepare(&example::experiment(), HOLD).await.unwrap();
    assert_eq!((counted(&plane), back.template), ((2, 3, 1, 1), first.template));
}

#[tokio::test]
async fn everything_is_created_once_despite_a_failure_at_any_call() {
    let mut scenarios = 0;
    for accident in [Accident::Busy, Accident::Throttled, Accident::Internal, Accident::ReplyLost, Accident::RequestLost] {
        for at in 0.. {
            let (fis, plane) = fis().await;
            fis.prepare(&example::experiment(), HOLD).await.unwrap();
            let before = {
                let mut plane = plane.lock().unwrap();
                plane.effects = 0;
                plane.script = std::collections::BTreeMap::from([(at, accident.clone())]);
                plane.plane.templates.len()
            };
            let prepared = fis.prepare(&changed(), HOLD).await.unwrap();
            let id = fis.start(&prepared.template, Actions::Run, "token").await.unwrap();
            assert_eq!(counted(&plane), (2, before + 1, 1, 2), "{accident:?} at {at}");
            fis.stop(&id).await.unwrap();
            let seen = loop {
                // The accident may happen at this call.
                if let Ok(seen) = fis.look(&id).await {
                    break seen;
                }
            };
            assert_eq!(seen.status, Status::Stopping);
            let plane = plane.lock().unwrap();
            assert_eq!(plane.plane.experiments.len(), 1, "{accident:?} at {at}");
            scenarios += 1;
            if plane.effects <= at {
                break;
            }
        }
    }
    println!("{scenarios} scenarios");
    assert!(scenarios > 40, "{scenarios}");
}

#[tokio::test]
async fn a_dry_run_completes_and_a_run_that_has_ended_counts_as_stopped() {
    let (fis, _plane) = fis().await;
    let prepared = fis.prepare(&example::experiment(), HOLD).await.unwrap();
    let id = fis.start(&prepared.template, Actions::Skip, "dry").await.unwrap();
    let mut states = Vec::new();
    while states.last() != Some(&Status::Completed) {
        states.push(fis.look(&id).await.unwrap().status);
        assert!(states.len() < 10, "{states:?}");
    }
    fis.stop(&id).await.unwrap();
    let refused = fis.start("EXT000000000000009", Actions::Run, "other").await.unwrap_err();
    let why = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
    assert!(why.contains("does not exist"), "{refused:?}");
}
