//! What FIS needs is created once, despite a failure at any call, and deleted when no run needs it;
//! nothing else is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::Patience;
use aws::fis::{Actions, Fis, Status};
use aws_sdk_lambda::config::{Credentials, Region};
use control_plane::{Accident, Request, Scripted};
use exports::{Experiment, Mark};

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

fn mark(run: &str, until: u64) -> Mark {
    Mark { run: run.into(), until }
}

/// What the deployed stack contains: the document of this experiment, and a template.
fn deploy(plane: &Mutex<Scripted>, experiment: &Experiment) {
    let plane = &mut plane.lock().unwrap().plane;
    let json = exports::create_document(experiment).to_string();
    for (target, path, body) in [
        (Some("AmazonSSM.CreateDocument"), "/", json),
        (None, "/experimentTemplates", exports::experiment_template(experiment).to_string()),
    ] {
        let request = Request { method: "POST", path, query: "", target, principal: None, caller: None, body: body.as_bytes() };
        assert_eq!(control_plane::answer(plane, &request).status, 200);
    }
}

/// The names of the documents' versions, and the templates' ids.
fn made(plane: &Mutex<Scripted>) -> (Vec<String>, Vec<String>) {
    let plane = &plane.lock().unwrap().plane;
    let versions = plane.documents.values().flat_map(|document| document.versions.values());
    (versions.filter_map(|version| version.name.clone()).collect(), plane.templates.iter().map(|it| it.id.clone()).collect())
}

/// Deletes what is selected, and returns it in words.
async fn delete(fis: &Fis, experiment: Option<&Experiment>, is_meant: impl Fn(&Mark) -> bool) -> Vec<String> {
    let found = fis.leftovers(experiment).await.unwrap().select(is_meant);
    for leftover in &found {
        fis.delete(leftover).await.unwrap();
    }
    found.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_stacks_document_is_used_and_nothing_that_a_run_did_not_make_is_deleted() {
    let (fis, plane) = fis().await;
    deploy(&plane, &crate::example::experiment());
    let before = made(&plane);
    let prepared = fis.prepare(&crate::example::experiment(), HOLD, &mark("a", 1)).await.unwrap();
    assert!(prepared.said.iter().any(|line| line.contains("version 1") && line.contains("is there already")), "{:?}", prepared.said);
    assert_eq!(made(&plane).0, before.0);
    // The document contains the question.
    let changed = Experiment { question: "Another one?".into(), ..crate::example::experiment() };
    fis.prepare(&changed, HOLD, &mark("b", 9)).await.unwrap();
    assert_eq!((made(&plane).0.len(), made(&plane).1.len()), (2, 3));
    let started = {
        let plane = &plane.lock().unwrap().plane;
        assert_eq!(plane.documents.values().next().unwrap().default, 1, "the stack's own template starts the stack's version");
        plane.templates.last().unwrap().wish["actions"]["strike"]["parameters"]["documentVersion"].clone()
    };
    assert_eq!(started, "2");
    let other = Experiment { name: "another".into(), ..crate::example::experiment() };
    assert_eq!(delete(&fis, Some(&other), |_| true).await, Vec::<String>::new());
    assert_eq!(delete(&fis, Some(&changed), |mark| mark.until <= 5).await, ["experiment template EXT000000000000002 of FIS"]);
    let rest = delete(&fis, None, |_| true).await;
    assert_eq!(
        rest,
        ["experiment template EXT000000000000003 of FIS", "version brownout-run.9.b of document brownout-slow-authorizer-strike",]
    );
    assert_eq!(made(&plane), before);
}

#[tokio::test]
async fn a_document_that_runs_made_is_deleted_with_the_last_of_them() {
    let (fis, plane) = fis().await;
    fis.prepare(&crate::example::experiment(), HOLD, &mark("a", 1)).await.unwrap();
    fis.prepare(&crate::example::experiment(), HOLD, &mark("b", 9)).await.unwrap();
    assert_eq!(delete(&fis, None, |mark| mark.run == "a").await, ["experiment template EXT000000000000001 of FIS"]);
    let rest = delete(&fis, None, |mark| mark.run != "c").await;
    assert_eq!(rest, ["experiment template EXT000000000000002 of FIS", "document brownout-slow-authorizer-strike"]);
    assert_eq!(made(&plane), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn everything_is_created_once_and_deleted_despite_a_failure_at_any_call() {
    let mut scenarios = 0;
    let changed = Experiment { question: "Another one?".into(), ..crate::example::experiment() };
    for (is_deployed, accident) in [Accident::Busy, Accident::Throttled, Accident::Internal, Accident::ReplyLost, Accident::RequestLost]
        .into_iter()
        .flat_map(|accident| [(true, accident.clone()), (false, accident)])
    {
        for at in 0.. {
            let (fis, plane) = fis().await;
            if is_deployed {
                deploy(&plane, &crate::example::experiment());
            }
            let before = made(&plane);
            plane.lock().unwrap().script = std::collections::BTreeMap::from([(at, accident.clone())]);
            let prepared = fis.prepare(&changed, HOLD, &mark("a", 9)).await.unwrap();
            let id = fis.start(&prepared.template, Actions::Run, "token").await.unwrap();
            let (versions, templates) = made(&plane);
            let more = (versions.len() - before.0.len(), templates.len() - before.1.len());
            assert_eq!(more, (1, 1), "{accident:?} at {at}");
            fis.stop(&id).await.unwrap();
            let seen = loop {
                // The accident may happen at this call.
                if let Ok(seen) = fis.look(&id).await {
                    break seen;
                }
            };
            assert_eq!(seen.status, Status::Stopping);
            delete(&fis, Some(&changed), |mark| mark.run == "a").await;
            assert_eq!(made(&plane), before, "{accident:?} at {at}");
            let plane = plane.lock().unwrap();
            assert_eq!(plane.plane.experiments.len(), 1, "{accident:?} at {at}");
            scenarios += 1;
            if plane.effects.count() <= at {
                break;
            }
        }
    }
    println!("{scenarios} scenarios");
    assert!(scenarios > 100, "{scenarios}");
}

#[tokio::test]
async fn a_dry_run_completes_and_a_run_that_has_ended_counts_as_stopped() {
    let (fis, _plane) = fis().await;
    let prepared = fis.prepare(&crate::example::experiment(), HOLD, &mark("a", 1)).await.unwrap();
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
