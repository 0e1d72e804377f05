//! Asynchronous invocations, whose answer no caller waits for, and the interface for callers within
//! the process. Waits are 600 times shorter here.

use bytes::Bytes;
use faults::Entry;
use stack::platform::{Function, InvokeError};

use crate::support::{Up, function, until, up};
use crate::wire::Wire;

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
    let reserved = Function { reserved: Some(0), ..function("f") };
    let up = up(vec![reserved], Vec::new(), false).await;
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
