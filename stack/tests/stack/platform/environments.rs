//! Environments: cold, warm, frozen, late, crashed, throttled and gone.

use std::time::Duration;

use bytes::Bytes;
use faults::Entry;
use serde_json::json;
use stack::platform::{Function, InvokeError};

use crate::platform::support::{function, until, up};
use crate::platform::wire::Wire;

/// A function with one environment, so that each event goes to the same one as before.
fn one(name: &str) -> Function {
    Function { concurrency: 1, ..function(name) }
}

/// Waits until a process is stopped; only then is its environment free for the next event.
async fn frozen(pid: u64) {
    let stopped = || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
    until("the freeze", stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_is_started_once_and_then_used_again() {
    let up = up(vec![function("f")], Vec::new(), false).await;
    let root = "1-5759e988-bd862e3fe1be46a994272793";
    let (_, first) = up.invoke("f", json!({})).await;
    let pid = first["pid"].as_u64().unwrap();
    frozen(pid).await;
    let trace = format!("Root={root}");
    let second = up.platform.invoke("f", Bytes::from_static(b"{}"), Some(&trace)).await.unwrap();
    let second_payload: serde_json::Value = serde_json::from_slice(&second.payload).unwrap();
    assert_eq!((&first["count"], &second_payload["count"]), (&json!(1), &json!(2)));
    assert_eq!(first["pid"], second_payload["pid"]);
    let headers = &second_payload["headers"];
    assert_eq!(headers["lambda-runtime-aws-request-id"], json!(second.request_id));
    assert_eq!(headers["lambda-runtime-invoked-function-arn"], "arn:aws:lambda:eu-west-1:123456789012:function:f");
    assert!(headers["lambda-runtime-trace-id"].as_str().unwrap().starts_with(&format!("Root={root};Parent=")));
    assert!(headers["lambda-runtime-deadline-ms"].as_str().unwrap().len() == 13);
    for (name, value) in [("AWS_LAMBDA_FUNCTION_NAME", "f"), ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_REGION", "eu-west-1")] {
        assert_eq!(first["variables"][name], value, "{name}");
    }
    assert_eq!(first["variables"].get("HOME"), None);
    let health = up.platform.health();
    assert_eq!((health.invocations, health.environments, health.queued, health.ended_badly), (2, 1, 0, 0));
    let entries = up.down().await;
    let second = Entry::Invoked { function: "f".into(), request_id: second.request_id, root: Some(root.into()), message: None };
    assert_eq!((entries.len(), &entries[1]), (2, &second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_events_are_chunked_and_small_ones_are_not() {
    let up = up(vec![function("f")], Vec::new(), false).await;
    for (size, chunked) in [(2000, false), (3000, true), (6_000_000, true)] {
        let (_, payload) = up.invoke("f", json!({ "fill": "x".repeat(size) })).await;
        assert_eq!(payload["headers"].get("transfer-encoding").is_some(), chunked, "{size}");
    }
    let too_large = up.platform.invoke("f", Bytes::from(vec![b' '; 7_000_000]), None).await;
    assert_eq!(too_large, Err(InvokeError::TooLarge));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_above_the_limit_is_a_function_error_and_the_environment_survives() {
    let up = up(vec![one("f")], Vec::new(), false).await;
    let (fits, _) = up.invoke("f", json!({ "do": "large", "size": 6_291_556 })).await;
    assert_eq!((fits.failed, fits.payload.len()), (false, 6_291_556));
    let (invoked, error) = up.invoke("f", json!({ "do": "large", "size": 6_291_557 })).await;
    assert!(invoked.failed);
    assert_eq!(error["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(up.invoke("f", json!({})).await.1["count"], 3);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runtime_api_refuses_as_lambda_does() {
    let up = up(vec![function("f")], Vec::new(), false).await;
    let (_, statuses) = up.invoke("f", json!({ "do": "wrong-id" })).await;
    assert_eq!(statuses, json!([400, "InvalidRequestID", 403, 404]));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_work_is_frozen_until_the_next_event() {
    let up = up(vec![one("f")], Vec::new(), false).await;
    let file = up.folder.path().join("dots");
    up.invoke("f", json!({ "do": "later", "file": file })).await;
    let size = || std::fs::metadata(&file).map_or(0, |file| file.len());
    // The freeze comes a moment after the answer; after it nothing changes.
    let mut before = size();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if size() == before {
            break;
        }
        before = size();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(size(), before);
    up.invoke("f", json!({ "do": "sleep", "ms": 100 })).await;
    assert!(size() > before);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_over_the_timeout_ends_the_environment_with_its_children() {
    let f = Function { timeout: Duration::from_millis(500), ..one("f") };
    let up = up(vec![f], Vec::new(), false).await;
    let (_, first) = up.invoke("f", json!({ "do": "child" })).await;
    let (invoked, error) = up.invoke("f", json!({ "do": "sleep", "ms": 60_000 })).await;
    assert!(invoked.failed);
    assert_eq!(error["errorType"], "Sandbox.Timedout");
    assert!(error["errorMessage"].as_str().unwrap().ends_with("Task timed out after 0.50 seconds"), "{error}");
    let (_, next) = up.invoke("f", json!({})).await;
    assert_eq!(next["count"], 1);
    assert_ne!(first["pid"], next["pid"]);
    assert_eq!(up.platform.health().ended_badly, 1);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_and_an_error_are_distinguished() {
    let up = up(vec![one("f")], Vec::new(), false).await;
    let (invoked, error) = up.invoke("f", json!({ "do": "error" })).await;
    assert!(invoked.failed);
    assert_eq!(error["errorType"], "Own.Error");
    assert_eq!(up.invoke("f", json!({})).await.1["count"], 2);
    let (invoked, error) = up.invoke("f", json!({ "do": "exit", "code": 3 })).await;
    assert!(invoked.failed);
    assert_eq!(error["errorType"], "Runtime.ExitError");
    assert!(error["errorMessage"].as_str().unwrap().ends_with("Error: Runtime exited with error: exit status 3"), "{error}");
    assert_eq!(up.invoke("f", json!({})).await.1["count"], 1);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_start_is_what_the_caller_sees() {
    let with = |name: &str, init: &str| Function { variables: [("CHILD_INIT".to_owned(), init.to_owned())].into(), ..function(name) };
    let up = up(vec![with("exits", "exit"), with("errs", "error")], Vec::new(), false).await;
    assert_eq!(up.invoke("exits", json!({})).await.1["errorType"], "Runtime.ExitError");
    assert_eq!(up.invoke("errs", json!({})).await.1["errorType"], "Own.Init");
    // As Lambda does, each was started a second time for its invocation.
    assert_eq!(up.platform.health().environments, 4);
    assert!(up.platform.warm("exits", 1).await.unwrap_err().to_string().contains("exit status 7"));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_concurrency_throttles_and_the_machines_limit_lets_wait() {
    let reserved = Function { reserved: Some(1), ..function("reserved") };
    let limited = Function { concurrency: 1, ..function("limited") };
    let up = up(vec![reserved, limited], Vec::new(), false).await;
    let sleep = || Bytes::from(json!({ "do": "sleep", "ms": 300 }).to_string());
    let (one, two) = tokio::join!(up.platform.invoke("reserved", sleep(), None), up.platform.invoke("reserved", sleep(), None));
    assert!(one.is_ok());
    assert_eq!(two, Err(InvokeError::Throttled));
    up.platform.warm("limited", 1).await.unwrap();
    let (one, two) = tokio::join!(up.platform.invoke("limited", sleep(), None), up.platform.invoke("limited", sleep(), None));
    assert!(one.is_ok() && two.is_ok());
    let health = up.platform.health();
    assert_eq!((health.throttled, health.queued, health.environments), (1, 1, 2));
    assert_eq!(health.queued_by_ms[9..11].iter().sum::<u64>(), 1, "{health:?}");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_environments_end_and_the_one_used_last_is_used_first() {
    let f = Function { idle: Duration::from_millis(500), ..function("f") };
    let up = up(vec![f], Vec::new(), false).await;
    up.platform.warm("f", 3).await.unwrap();
    let (_, first) = up.invoke("f", json!({})).await;
    let pid = first["pid"].as_u64().unwrap();
    frozen(pid).await;
    let (_, second) = up.invoke("f", json!({})).await;
    assert_eq!(first["pid"], second["pid"]);
    until("the end of the idle environment", || !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
    assert_ne!(up.invoke("f", json!({})).await.1["pid"], first["pid"]);
    assert_eq!(up.platform.health().ended_badly, 0);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extension_registers_first_and_all_its_ledger_lines_arrive() {
    let up = up(vec![one("f")], Vec::new(), true).await;
    let (_, payload) = up.invoke("f", json!({})).await;
    let variable = |name: &str| payload["variables"][name].as_str().unwrap().to_owned();
    let port = variable("AWS_LAMBDA_RUNTIME_API").rsplit(':').next().unwrap().to_owned();
    assert_eq!(variable("BROWNOUT_LISTEN"), format!("127.0.0.2:{port}"));
    assert!(variable("BROWNOUT_PLAN").starts_with("file:/"));
    up.invoke("f", json!({})).await;
    let notes: Vec<String> = up
        .down()
        .await
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Note { what, .. } => Some(what),
            _ => None,
        })
        .collect();
    assert_eq!(notes, ["INVOKE f", "INVOKE f", "SHUTDOWN f"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_that_never_registers_fails_the_start() {
    let timeout = Duration::from_secs(1);
    let f = Function { timeout, variables: [("CHILD_EXTENSION".to_owned(), "silent".to_owned())].into(), ..function("f") };
    let up = up(vec![f], Vec::new(), true).await;
    let began = std::time::Instant::now();
    let (invoked, error) = up.invoke("f", json!({})).await;
    // The start has 10 s, and its repetition within the invocation the function's timeout.
    assert!(invoked.failed && began.elapsed() >= Duration::from_secs(11));
    assert!(error["errorMessage"].as_str().unwrap().contains("timed out after 1.00 seconds"), "{error}");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_invoke_api_answers_as_lambda_does() {
    let reserved = Function { reserved: Some(0), ..function("reserved") };
    let up = up(vec![function("f"), reserved], Vec::new(), false).await;
    let address = up.platform.lambda.to_string();
    let answers = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::connect(&address).unwrap();
        let mut call = |name: &str, kind: &str, body: &str| {
            let path = format!("/2015-03-31/functions/{name}/invocations");
            wire.call("POST", &path, &[("X-Amz-Invocation-Type", kind)], body.as_bytes()).unwrap()
        };
        [
            ("f", "RequestResponse", "{}"),
            ("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af", "RequestResponse", r#"{"do":"error"}"#),
            ("f", "Event", "{}"),
            ("f", "DryRun", ""),
            ("other", "RequestResponse", "{}"),
            ("reserved", "RequestResponse", "{}"),
            ("f", "RequestResponse", "{"),
        ]
        .map(|(name, kind, body)| call(name, kind, body))
    });
    let answers = answers.await.unwrap();
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 200, 202, 204, 404, 429, 400]);
    let header = |index: usize, name: &str| answers[index].headers.get(name).cloned();
    assert_eq!((header(0, "x-amz-function-error"), header(1, "x-amz-function-error")), (None, Some("Unhandled".into())));
    assert_eq!(header(0, "x-amz-executed-version").as_deref(), Some("$LATEST"));
    assert_eq!(header(4, "x-amzn-errortype").as_deref(), Some("ResourceNotFoundException"));
    assert_eq!(header(5, "x-amzn-errortype").as_deref(), Some("TooManyRequestsException"));
    until("the asynchronous invocation", || up.platform.health().invocations == 4).await;
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_during_an_invocation_answers_the_caller_and_leaves_nothing() {
    let up = up(vec![function("f")], Vec::new(), true).await;
    up.platform.warm("f", 4).await.unwrap();
    let address = up.platform.lambda.to_string();
    let caller = tokio::task::spawn_blocking(move || {
        Wire::connect(&address)
            .unwrap()
            .call("POST", "/2015-03-31/functions/f/invocations", &[], br#"{"do":"sleep","ms":60000}"#)
            .map(|answer| answer.status)
    });
    until("the invocation", || up.platform.health().invocations == 1).await;
    up.down().await;
    // The caller got an error, or its connection is closed; but it does not wait forever.
    assert_ne!(caller.await.unwrap().ok(), Some(200));
}

#[test]
fn the_guard_waits_for_its_parent_and_then_ends_what_carries_the_marker() {
    let marker = format!("guard-{}", std::process::id());
    let left = crate::platform::support::Left(marker.clone());
    let mut child = std::process::Command::new("sleep").arg("600").env("BROWNOUT_STACK", &marker).spawn().unwrap();
    let mut guard = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "platform::child::guard"])
        .env("CHILD_GUARD", &marker)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let stood = child.try_wait().unwrap().is_none();
    drop(guard.stdin.take());
    let ended = guard.wait().unwrap();
    drop(left);
    child.wait().unwrap();
    assert!(stood && ended.success(), "{ended}");
}
