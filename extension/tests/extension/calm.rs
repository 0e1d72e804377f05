//! Injections end with their fault: once the plan is calm, no event, answer, start or call is held
//! any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{
    Extension, NEXT, PATIENCE, Platform, Runtime, STREAMING, chunked_response, echo, event, fault, plan, response, until,
};
use faults::Entry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
/// Longer than the timeouts of these tests: nothing that is held this long ends by itself.
const HELD: Duration = Duration::from_secs(600);

async fn started(kind: &str, variables: &[(&str, &str)]) -> (Arc<Platform>, Extension, Runtime) {
    let platform = Platform::start().await;
    let extension = Extension::start_with(&platform, None, variables).await;
    in_force(&extension, &plan(1, 60_000, &[fault("f", 1.0, kind)])).await;
    let runtime = extension.connect().await;
    (platform, extension, runtime)
}

/// Writes a plan and waits until it is in force; the file is polled every 150 ms.
async fn in_force(extension: &Extension, plan: &str) {
    extension.write_plan(plan);
    tokio::time::sleep(Duration::from_secs(1)).await;
}

/// Makes the plan in the file calm.
fn calm(extension: &Extension) {
    extension.write_plan(&plan(2, 60_000, &[]));
}

/// Waits until a hold has certainly begun, and checks that it has not ended.
async fn is_held<T>(held: &tokio::task::JoinHandle<T>) {
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!held.is_finished(), "nothing is held");
}

async fn ended<T>(held: tokio::task::JoinHandle<T>) -> T {
    tokio::time::timeout(PATIENCE, held).await.expect("the hold goes on after the calm").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_held_goes_to_the_handler_when_the_plan_is_calm() {
    for kind in [r#"{"latency":{"time":"600s"}}"#, r#"{"timeout":{}}"#, r#"{"timeout":{"share-of-deadline":0.9}}"#] {
        let (platform, extension, mut runtime) = started(kind, &[]).await;
        platform.send(event("a", ROOT, HELD, b"{}"));
        let held = tokio::spawn(async move {
            let event = runtime.next().await;
            (event, runtime)
        });
        is_held(&held).await;
        calm(&extension);
        let (event, mut runtime) = ended(held).await;
        assert_eq!(event.header("Lambda-Runtime-Aws-Request-Id"), Some("a"), "{kind}");
        runtime.respond("a", b"mine").await;
        assert_eq!(platform.answer_to("a").await.body, b"mine");
        let line = &extension.eligible("a", 1).await[0];
        assert!(line.done && (100_000..30_000_000).contains(&line.waited_us), "{kind}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_held_goes_on_when_the_lease_ends_or_the_plan_is_removed() {
    for taken_away in [false, true] {
        let (platform, extension, mut runtime) = started(r#"{"latency":{"time":"600s"}}"#, &[]).await;
        let lease = if taken_away { 60_000 } else { 3_000 };
        in_force(&extension, &plan(2, lease, &[fault("f", 1.0, r#"{"latency":{"time":"600s"}}"#)])).await;
        platform.send(event("a", ROOT, HELD, b"{}"));
        let held = tokio::spawn(async move { runtime.next().await });
        is_held(&held).await;
        if taken_away {
            std::fs::remove_file(extension.folder.path().join("plan.json")).unwrap();
        }
        assert_eq!(ended(held).await.body, b"{}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_held_or_drips_goes_on_when_the_plan_is_calm() {
    let whole = vec![b'x'; 20_000];
    for (kind, answer) in [
        (r#"{"latency":{"at":"after","time":"600s"}}"#, response("a", &whole)),
        (r#"{"stream":{"first-byte":"600s","bytes-per-second":1}}"#, response("a", &whole)),
        (r#"{"stream":{"bytes-per-second":10}}"#, response("a", &whole)),
        (r#"{"stream":{"bytes-per-second":10}}"#, chunked_response("a", STREAMING, &[&whole], "")),
        (r#"{"stream":{"bytes-per-second":10,"error":{"type":"T","message":"m"}}}"#, chunked_response("a", STREAMING, &[&whole], "")),
    ] {
        let (platform, extension, mut runtime) = started(kind, &[]).await;
        platform.send(event("a", ROOT, HELD, b"{}"));
        runtime.next().await;
        let held = tokio::spawn(async move { runtime.ask(&answer).await });
        is_held(&held).await;
        calm(&extension);
        assert_eq!(ended(held).await.status(), 202, "{kind}");
        let sent = platform.answer_to("a").await;
        assert!(sent.body == whole && !sent.raw.windows(8).any(|part| part == b"Error-Ty"), "{kind}: {} bytes", sent.body.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_is_held_goes_on_when_the_plan_is_calm_and_does_not_fail_then() {
    let slow = fault("slow", 1.0, r#"{"init":{"slow":"600s"}}"#);
    let failed = fault("failed", 1.0, r#"{"init":{"failed":{"type":"T","message":"m"}}}"#);
    let platform = Platform::start().await;
    let extension = Extension::start_with(&platform, None, &[("AWS_LAMBDA_LOG_STREAM_NAME", "one")]).await;
    in_force(&extension, &plan(1, 60_000, &[slow, failed])).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, HELD, b"{}"));
    let held = tokio::spawn(async move { runtime.next().await });
    is_held(&held).await;
    calm(&extension);
    assert_eq!(ended(held).await.body, b"{}");
    let started = || {
        let lines: Vec<_> =
            extension.entries().into_iter().filter_map(|entry| if let Entry::Started(line) = entry { Some(line) } else { None }).collect();
        (lines.len() == 2).then_some(lines)
    };
    let lines = until("the start is told", started).await;
    assert!(lines[0].done && lines[0].waited_us < 30_000_000 && !lines[1].done, "{lines:?}");
    assert_eq!(platform.received_count(), 0, "no init error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_held_goes_on_when_the_plan_is_calm() {
    for trouble in [r#"{"slow":"600s"}"#, r#"{"throttled":1}"#] {
        let kind = format!(r#"{{"dependency":{{"host":"127.0.*","trouble":{trouble}}}}}"#);
        let endpoint = format!("http://{}", echo().await);
        let variables = [("BROWNOUT_OUTBOUND", "on"), ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.as_str())];
        let (platform, extension, mut runtime) = started(&kind, &variables).await;
        let ready = extension.folder.path().join(format!("brownout-{}.ready", extension.listen));
        let ready = until("the ready file is there", || std::fs::read_to_string(&ready).ok()).await;
        let through = ready.lines().find_map(|line| line.strip_prefix("AWS_ENDPOINT_URL_DYNAMODB=http://")).unwrap().to_owned();
        platform.send(event("a", ROOT, HELD, b"{}"));
        runtime.next().await;
        let held = tokio::spawn(async move {
            let mut call = TcpStream::connect(through).await.unwrap();
            let said = [b'x'; 2_000];
            call.write_all(&said).await.unwrap();
            let mut heard = [0; 2_000];
            call.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, said);
        });
        is_held(&held).await;
        calm(&extension);
        ended(held).await;
        // The handler still runs, and no further call of it is disturbed.
        runtime.respond("a", b"{}").await;
        assert!(extension.eligible("a", 1).await[0].done, "{trouble}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_pressure_ends_when_the_plan_is_calm_although_the_handler_runs_on() {
    let kind = r#"{"resource":{"memory-mib":8,"time":"60s"}}"#;
    let (platform, extension, mut runtime) = started(kind, &[]).await;
    let presses = || {
        let of = extension.child.id().to_string();
        let stat = |process: u32| std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let is_ours = |process: &u32| {
            let stat = stat(*process);
            let mut behind = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
            behind.next() != Some("Z") && behind.next() == Some(of.as_str())
        };
        let all = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        all.filter(is_ours).count()
    };
    platform.send(event("a", ROOT, HELD, b"{}"));
    runtime.next().await;
    until("it presses", || (presses() == 1).then_some(())).await;
    calm(&extension);
    until("it presses no more", || (presses() == 0).then_some(())).await;
    runtime.respond("a", b"{}").await;
    assert!(extension.eligible("a", 1).await[0].done);
}

/// Holds several times in a row: each calm ends only the current hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_of_a_later_plan_does_not_end_with_an_earlier_one() {
    let latency = |sequence| plan(sequence, 60_000, &[fault("f", 1.0, r#"{"latency":{"time":"600s"}}"#)]);
    let (platform, extension, mut runtime) = started(r#"{"latency":{"time":"600s"}}"#, &[]).await;
    for round in 0..3_u64 {
        let id = format!("e{round}");
        in_force(&extension, &latency(2 * round + 3)).await;
        platform.send(event(&id, ROOT, HELD, b"{}"));
        runtime.write(NEXT).await;
        let began = Instant::now();
        // A renewal of the same plan ends nothing.
        while began.elapsed() < Duration::from_millis(500) {
            assert!(tokio::time::timeout(Duration::from_millis(100), runtime.stream.readable()).await.is_err(), "round {round}");
        }
        extension.write_plan(&plan(2 * round + 4, 60_000, &[]));
        assert_eq!(runtime.read().await.unwrap().body, b"{}");
        runtime.respond(&id, b"mine").await;
    }
}
