//! Real runtimes with the published clients and with ours, from a template: the caller's view must be
//! the same with and without the extension.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use faults::Entry;
use serde_json::{Value, json};
use stack::platform::code::Place;
use stack::platform::{Code, Function};
use template::Template;

use crate::platform::support::{Layer, Up, function, layered};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("functions")
}

/// The programs that cargo has built next to this test.
pub fn programs() -> PathBuf {
    let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
    for name in ["echo", "brownout-extension"] {
        assert!(folder.join(name).is_file(), "`{name}` is not built; `cargo build --release --workspace --bins`");
    }
    folder
}

pub fn layer() -> Layer {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extension/layer");
    Layer { extension: programs().join("brownout-extension"), wrapper: scripts.join("wrapper") }
}

/// A function of the template.
fn declared(name: &str) -> Function {
    let text = std::fs::read_to_string(root().join("echo.yaml")).unwrap();
    let template = Template::read(&text, &BTreeMap::new()).unwrap();
    let found = template.blueprint.functions.into_iter().find(|function| function.name == name).unwrap();
    let timeout = found.timeout;
    let place = Place::new(&programs(), &root(), std::env::temp_dir(), BTreeMap::new());
    Function { code: place.prepare(&found).unwrap().code, timeout, concurrency: 1, ..function(name) }
}

/// A platform with the function, or `None` if this machine lacks the runtime.
async fn up(name: &str, layer: Option<Layer>) -> Option<Up> {
    layered(vec![declared(name)], layer).await.unwrap().or_skipped().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_that_is_missing_fails_its_own_function_only() {
    let missing =
        |name: &str| Function { code: Code::Missing { runtime: "java21".into(), why: "it is not served here".into() }, ..function(name) };
    let echo = Function { code: Code::Provided(programs().join("echo")), ..function("echo") };
    let up = layered(vec![missing("old"), echo], Some(layer())).await.unwrap();
    assert_eq!(up.platform.missing(), BTreeMap::from([("old".to_owned(), "it is not served here".to_owned())]));
    assert_eq!(up.platform.notices, ["function `old` needs `java21`: it is not served here; its invocations fail"]);
    up.platform.warm("old", 2).await.unwrap();
    for _ in 0..3 {
        let (invoked, answer) = up.invoke("old", json!({})).await;
        assert!(invoked.failed);
        assert_eq!(answer["errorType"], "Runtime.InvalidEntrypoint");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains(&invoked.request_id) && message.contains("function `old` needs `java21`"), "{message}");
    }
    assert!(!up.invoke("echo", json!({"n": 1})).await.0.failed);
    let log = std::fs::read_to_string(up.folder.path().join("run/logs/old.log")).unwrap();
    assert!(log.contains("needs `java21`"), "{log}");
    up.down().await;
}

/// What the caller sees, without the parts that differ between invocations.
async fn seen(up: &Up, name: &str, event: &Value) -> Value {
    let invoked = up.platform.invoke(name, Bytes::from(event.to_string()), Some(TRACE)).await.unwrap();
    let text = String::from_utf8(invoked.payload.to_vec()).unwrap();
    let mut payload: Value = serde_json::from_str(&text.replace(&invoked.request_id, "<request id>")).unwrap();
    if let Some(deadline) = payload.as_object_mut().and_then(|payload| payload.remove("deadlineMs")) {
        assert!(deadline.as_u64().unwrap() > 1_700_000_000_000, "{deadline}");
    }
    json!({ "failed": invoked.failed, "payload": payload })
}

async fn the_same_with_the_extension(name: &str) {
    let (Some(direct), Some(through)) = (up(name, None).await, up(name, Some(layer())).await) else { return };
    let large = json!({ "fill": "x".repeat(5_000_000) });
    let mut events: Vec<Value> = (0..20).map(|n| json!({ "n": n, "text": "a \u{e9} \u{1f600}" })).collect();
    events.extend([json!({ "do": "raise" }), large, json!({ "do": "sleep", "ms": 20 }), json!({ "do": "exit", "code": 3 }), json!({})]);
    for event in &events {
        let (plain, faced) = (seen(&direct, name, event).await, seen(&through, name, event).await);
        assert!(plain == faced, "{name}: {:.300} / {:.300}", plain.to_string(), faced.to_string());
        match event["do"].as_str() {
            Some("raise") => assert_eq!((&plain["failed"], &plain["payload"]["errorType"]), (&json!(true), &json!("Refused"))),
            Some("exit") => assert_eq!(plain["payload"]["errorType"], "Runtime.ExitError"),
            _ => {
                assert_eq!((&plain["payload"]["event"], &plain["payload"]["requestId"]), (event, &json!("<request id>")));
                assert_eq!(plain["payload"]["trace"], TRACE);
            }
        }
    }
    // The exit costs each platform one environment; nothing else does.
    assert_eq!((direct.platform.health().environments, through.platform.health().environments), (2, 2));
    direct.down().await;
    through.down().await;
}

/// The published ones are found by these variables, unless this machine has them anyway.
#[test]
fn all_of_it_works_with_our_clients_too() {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again
        .args(["platform::runtimes", "--skip", "with_our_clients_too", "--test-threads", "2"])
        .env_remove("PYTHONPATH")
        .env_remove("NODE_PATH");
    let output = again.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains(" 0 passed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_is_the_same_with_the_extension() {
    the_same_with_the_extension("echo-rust").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_is_the_same_with_the_extension() {
    the_same_with_the_extension("echo-python").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_is_the_same_with_the_extension() {
    the_same_with_the_extension("echo-node").await;
}

async fn the_books_balance(name: &str) {
    let Some(up) = up(name, Some(layer())).await else { return };
    let fault = |fault: &str, kind: Value| json!({ "name": fault, "place": { "function": name }, "share": 0.5, "kind": kind });
    let faults = [
        fault("slow", json!({ "latency": { "at": "before", "time": "5ms" } })),
        fault("failed", json!({ "error": { "type": "Brownout.Test", "message": "no" } })),
    ];
    let plan = json!({ "version": 1, "run": "runtimes", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": faults });
    std::fs::write(up.folder.path().join("plan.json"), plan.to_string()).unwrap();
    let (mut failed, count) = (0, 40);
    for _ in 0..count {
        let invoked = up.platform.invoke(name, Bytes::from_static(b"{}"), None).await.unwrap();
        if invoked.failed {
            failed += 1;
            let payload: Value = serde_json::from_slice(&invoked.payload).unwrap();
            assert_eq!(payload["errorType"], "Brownout.Test");
        }
    }
    let entries = up.down().await;
    let lines = |fault: &str, action: &str| {
        let lines = entries.iter().flat_map(Entry::eligible);
        lines.filter(|line| line.fault == fault && (action.is_empty() || line.action.as_str() == action)).count()
    };
    assert_eq!((lines("slow", ""), lines("failed", ""), lines("failed", "refuse")), (count, count, failed));
    assert!((1..count).contains(&failed), "{failed} of {count}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_books_balance_in_every_runtime() {
    for name in ["echo-rust", "echo-python", "echo-node"] {
        the_books_balance(name).await;
    }
}

/// Reads an answer of `InvokeWithResponseStream` to its end; `first` is called when the first piece
/// has arrived.
fn read_stream(address: &str, name: &str, event: &Value, first: impl FnOnce()) -> (usize, Vec<u8>, Value) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let body = event.to_string();
    let path = format!("/2021-11-15/functions/{name}/response-streaming-invocations");
    write!(stream, "POST {path} HTTP/1.0\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(head.contains(" 200 ") && head.contains("application/vnd.amazon.eventstream"), "{head}");
    let (mut size, mut last, mut first) = (0, Vec::new(), Some(first));
    loop {
        let mut prelude = [0; 12];
        stream.read_exact(&mut prelude).unwrap();
        let number = |at: usize| u32::from_be_bytes(prelude[at..at + 4].try_into().unwrap()) as usize;
        let mut rest = vec![0; number(0) - 12];
        stream.read_exact(&mut rest).unwrap();
        let (headers, payload) = rest[..rest.len() - 4].split_at(number(4));
        if headers.windows(14).any(|window| window == b"InvokeComplete") {
            return (size, last, serde_json::from_slice(payload).unwrap());
        }
        size += payload.len();
        last.extend_from_slice(payload);
        let from = last.len().saturating_sub(200);
        last.drain(..from);
        // Rust's client sends its prelude in separate pieces.
        if let Some(first) = first.take_if(|_| payload.starts_with(b"xxx")) {
            first();
        }
    }
}

async fn streams(name: &'static str, layer: Option<Layer>) {
    let Some(up) = up(name, layer).await else { return };
    let gate = up.folder.path().join("gate");
    let address = up.platform.lambda.to_string();
    let size = 21_000_000;
    let task = tokio::task::spawn_blocking(move || {
        // The function writes the rest only after the first piece has arrived here.
        let event = json!({ "do": "stream", "bytes": size, "gate": gate });
        let whole = read_stream(&address, name, &event, || std::fs::write(&gate, "").unwrap());
        let failed = read_stream(&address, name, &json!({ "do": "stream", "bytes": 200_000, "fail": true }), || ());
        (whole, failed)
    });
    let (whole, failed) = task.await.unwrap();
    // Rust's client sends a prelude first.
    assert!((size..size + 200).contains(&whole.0) && whole.2 == json!({}), "{name}: {} {}", whole.0, whole.2);
    if name == "echo-rust" {
        // lambda_runtime 1.5 writes what should be trailers as the end of the text; the extension
        // must not change that.
        let end = String::from_utf8_lossy(&failed.1).into_owned();
        assert!(end.contains("Lambda-Runtime-Function-Error-Type: Runtime.StreamError"), "{end}");
    } else {
        assert_eq!(failed.2["ErrorCode"], "Unhandled", "{}", failed.2);
        assert!(failed.2["ErrorDetails"].as_str().unwrap().contains("as asked, in mid-stream"), "{}", failed.2);
    }
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_streams_directly_and_through_the_extension() {
    streams("echo-rust", None).await;
    streams("echo-rust", Some(layer())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_streams_directly_and_through_the_extension() {
    streams("echo-node-streaming", None).await;
    streams("echo-node-streaming", Some(layer())).await;
}

/// The process id of the extension in the one running environment.
fn extension_of(up: &Up) -> i32 {
    let is_extension = |pid: &i32| {
        let name = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        name.ends_with("brownout-extension")
    };
    stack::guard::marked(up.marker()).into_iter().find(is_extension).unwrap()
}

fn kill(pid: i32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

fn rust_in(folder: &Path) -> Function {
    // The ready file of a killed extension stays; here the test's folder, and the file with it, is
    // deleted.
    let variables = [("TMPDIR".to_owned(), folder.display().to_string())].into();
    Function { variables, ..declared("echo-rust") }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_killed_while_idle_costs_an_environment_and_no_invocation() {
    let folder = tempfile::tempdir().unwrap();
    let up = layered(vec![rust_in(folder.path())], Some(layer())).await.unwrap();
    assert_eq!(seen(&up, "echo-rust", &json!({})).await["failed"], false);
    kill(extension_of(&up));
    crate::platform::support::until("the end of the environment", || up.platform.health().ended_badly == 1).await;
    assert_eq!(seen(&up, "echo-rust", &json!({})).await["failed"], false);
    assert_eq!(up.platform.health().environments, 2);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_killed_under_a_handler_fails_that_invocation_alone() {
    let folder = tempfile::tempdir().unwrap();
    let up = layered(vec![rust_in(folder.path())], Some(layer())).await.unwrap();
    up.platform.warm("echo-rust", 1).await.unwrap();
    let sleeps = json!({ "do": "sleep", "ms": 60_000 });
    let (seen_by_caller, ()) = tokio::join!(seen(&up, "echo-rust", &sleeps), async {
        crate::platform::support::until("the hand-over", || up.platform.health().invocations == 1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        kill(extension_of(&up));
    });
    assert_eq!((&seen_by_caller["failed"], &seen_by_caller["payload"]["errorType"]), (&json!(true), &json!("Extension.Crash")));
    assert_eq!(seen(&up, "echo-rust", &json!({})).await["failed"], false);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_killed_before_it_registers_fails_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let dies = folder.path().join("dies");
    std::fs::write(&dies, "#!/bin/sh\nkill -9 $$\n").unwrap();
    let mut permissions = std::fs::metadata(&dies).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&dies, permissions).unwrap();
    let up = layered(vec![rust_in(folder.path())], Some(Layer { extension: dies, ..layer() })).await.unwrap();
    let seen = seen(&up, "echo-rust", &json!({})).await;
    assert_eq!((&seen["failed"], &seen["payload"]["errorType"]), (&json!(true), &json!("Extension.Crash")));
    up.down().await;
}
