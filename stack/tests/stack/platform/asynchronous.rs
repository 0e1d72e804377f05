//! Asynchronous invocations, whose answer no caller waits for, and the interface for callers within
//! the process. Waits are 600 times shorter here.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use faults::Entry;
use serde_json::{Value, json};
use stack::deliver::{Deliver, Delivery, Kind, Receives, Undelivered};
use stack::platform::{Function, InvokeError};
use template::blueprint::{self, Target};

use crate::platform::support::{More, Up, function, until, up, up_with};
use crate::platform::wire::Wire;

/// The status of an asynchronous invocation.
async fn event(up: &Up, name: &'static str, body: &'static str) -> u16 {
    let address = up.platform.lambda.to_string();
    let call = move || {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        Wire::connect(&address).unwrap().call("POST", &path, &[("X-Amz-Invocation-Type", "Event")], body.as_bytes()).unwrap().status
    };
    tokio::task::spawn_blocking(call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_event_is_retried_twice_under_one_request_id() {
    let up = up(vec![function("f")], Vec::new(), false).await;
    assert_eq!(event(&up, "f", r#"{"do":"error"}"#).await, 202);
    until("three tries", || up.platform.health().invocations == 3).await;
    assert_eq!(event(&up, "f", "{}").await, 202);
    until("another event", || up.platform.health().invocations == 4).await;
    let ids: Vec<_> = up
        .down()
        .await
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Invoked { request_id, root, .. } => Some((request_id, root)),
            _ => None,
        })
        .collect();
    assert!(ids.len() >= 3 && ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert!(ids.get(3).is_none_or(|other| *other != ids[0]), "{ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_a_throttled_function_is_accepted_and_retried() {
    let reserved = Function { reserved: Some(1), ..function("f") };
    let up = up(vec![reserved], Vec::new(), false).await;
    assert_eq!(event(&up, "f", r#"{"do":"sleep","ms":15000}"#).await, 202);
    until("the first event", || up.platform.health().environments == 1).await;
    assert_eq!(event(&up, "f", "{}").await, 202);
    assert_eq!(event(&up, "other", "{}").await, 404);
    until("another try", || up.platform.health().throttled >= 3).await;
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_interface_invokes_the_functions_and_fails_once_they_are_gone() {
    let up = up(vec![function("f")], Vec::new(), false).await;
    let door = up.platform.door();
    let empty = || Bytes::from_static(b"{}");
    assert!(!door.invoke("f", empty(), None).await.unwrap().failed);
    assert_eq!(door.invoke("other", empty(), None).await, Err(InvokeError::Unknown("other".into())));
    up.down().await;
    assert_eq!(door.invoke("f", empty(), None).await, Err(InvokeError::Stopped));
}

/// Keeps what it gets.
#[derive(Debug, Default)]
struct Kept(Mutex<Vec<(Target, Delivery)>>);

impl Receives for Kept {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        self.0.lock().unwrap().push((to.clone(), delivery.clone()));
        Ok(())
    }
}

fn queue(name: &str) -> Option<Target> {
    Some(Target::Queue(name.into()))
}

/// A platform of one function with these settings, and what it delivers.
async fn delivering(asynchronous: blueprint::Asynchronous, reserved: Option<u32>) -> (Up, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    let f = Function { asynchronous, reserved, ..function("f") };
    let deliver = Deliver::default();
    deliver.connect(Kind::Queues, &kept);
    deliver.connect(Kind::Topics, &kept);
    let more = More { deliver, ..More::default() };
    (up_with(vec![f, function("other")], Vec::new(), false, more).await, kept)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_an_event_goes_to_its_destination_and_a_failed_one_to_the_dead_letters_too() {
    let settings = blueprint::Asynchronous {
        retries: Some(1),
        on_success: queue("done"),
        on_failure: queue("failed"),
        dead_letters: Some(Target::Topic("dead".into())),
        ..blueprint::Asynchronous::default()
    };
    let (up, kept) = delivering(settings, None).await;
    assert_eq!(event(&up, "f", r#"{"do":"error"}"#).await, 202);
    let count = || kept.0.lock().unwrap().len();
    until("the failure", || count() == 2).await;
    assert_eq!(event(&up, "f", r#"{"n":1}"#).await, 202);
    until("the success", || count() == 3).await;
    let letters = std::mem::take(&mut *kept.0.lock().unwrap());
    let names: Vec<_> = letters.iter().map(|(to, _)| to.name()).collect();
    assert_eq!(names, ["failed", "dead", "done"]);
    let record: Value = serde_json::from_str(&letters[0].1.body).unwrap();
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert_eq!(record["requestContext"]["functionArn"], "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST");
    assert_eq!((&record["requestPayload"], &record["responsePayload"]["errorType"]), (&json!({ "do": "error" }), &json!("Own.Error")));
    assert_eq!(letters[1].1.body, r#"{"do":"error"}"#);
    assert_eq!(letters[1].1.attributes["ErrorMessage"]["StringValue"], "as asked");
    let record: Value = serde_json::from_str(&letters[2].1.body).unwrap();
    assert_eq!((&record["requestContext"]["condition"], &record["responsePayload"]["count"].is_number()), (&json!("Success"), &true));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_old_or_may_never_run_is_given_up() {
    // 600 times shorter: 0.1 s, and the first retry would come at 0.1 s after the first attempt.
    let oldest = Some(std::time::Duration::from_secs(60));
    let old = blueprint::Asynchronous { oldest, on_failure: queue("failed"), ..blueprint::Asynchronous::default() };
    let never = blueprint::Asynchronous { on_failure: queue("failed"), ..blueprint::Asynchronous::default() };
    for (settings, reserved, condition, count) in [(old, None, "EventAgeExceeded", 1), (never, Some(0), "ZeroReservedConcurrency", 0)] {
        let (up, kept) = delivering(settings, reserved).await;
        assert_eq!(event(&up, "f", r#"{"do":"error"}"#).await, 202);
        until(condition, || kept.0.lock().unwrap().len() == 1).await;
        let record: Value = serde_json::from_str(&kept.0.lock().unwrap()[0].1.body).unwrap();
        assert_eq!(record["requestContext"]["condition"], condition);
        assert_eq!(record["requestContext"]["approximateInvokeCount"], count);
        up.down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_may_be_a_function_and_one_that_is_not_served_is_told_in_the_log() {
    let settings = blueprint::Asynchronous {
        on_success: Some(Target::Function("other".into())),
        on_failure: Some(Target::Bus("bus".into())),
        retries: Some(0),
        ..blueprint::Asynchronous::default()
    };
    let (up, _) = delivering(settings, None).await;
    assert_eq!(event(&up, "f", "{}").await, 202);
    until("the other function", || up.platform.health().invocations == 2).await;
    assert_eq!(event(&up, "f", r#"{"do":"error"}"#).await, 202);
    let log = up.folder.path().join("run/logs/f.log");
    until("the line", || std::fs::read_to_string(&log).is_ok_and(|text| text.contains("went nowhere: there is no Bus"))).await;
    up.down().await;
}
