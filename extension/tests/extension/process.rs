//! The extension as a process: its own calls to the platform, its end, its memory. With the real
//! binary. `conformance` tests that it changes nothing without a fault.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{ACCEPTED, Extension, NEXT, Platform, event, plan, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(30);

fn calm() -> String {
    format!("json:{}", plan(1, 60_000, &[]))
}

async fn started() -> (std::sync::Arc<Platform>, Extension) {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&calm())).await;
    (platform, extension)
}

/// A response stream that has begun: the runtime's end, and the platform's end as raw bytes. Other
/// requests to the platform stay open.
struct Stream {
    extension: Extension,
    runtime: crate::support::Runtime,
    far: TcpStream,
    _other: Vec<TcpStream>,
}

async fn stream() -> Stream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let platform = Platform::elsewhere(listener.local_addr().unwrap());
    let serve = tokio::spawn(async move {
        let mut other = Vec::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut start = [0; 64];
            let n = stream.peek(&mut start).await.unwrap();
            if start.starts_with(b"POST /2018-06-01") && n > 16 {
                return (stream, other);
            }
            other.push(stream);
        }
    });
    let extension = Extension::start(&platform, Some(&calm())).await;
    let mut runtime = extension.connect().await;
    let head = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\
                Trailer: Lambda-Runtime-Function-Error-Type\r\nTransfer-Encoding: chunked\r\n\r\n";
    runtime.write(head.as_bytes()).await;
    let (mut far, _other) = serve.await.unwrap();
    let mut got = vec![0; head.len()];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(got, head.as_bytes());
    Stream { extension, runtime, far, _other }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_passes_in_little_memory_and_its_trailers_arrive() {
    let Stream { extension, mut runtime, mut far, _other } = stream().await;
    let end = b"0\r\nLambda-Runtime-Function-Error-Type: Runtime.Late\r\nUnannounced: yes\r\n\r\n";
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 20];
        let (mut count, mut tail) = (0, Vec::new());
        while !tail.ends_with(b"\r\n\r\n") {
            let n = far.read(&mut buffer).await.unwrap();
            assert_ne!(n, 0, "the stream broke off");
            count += n;
            tail.extend_from_slice(&buffer[..n]);
            tail.drain(..tail.len().saturating_sub(200));
        }
        far.write_all(ACCEPTED).await.unwrap();
        (count, tail)
    });
    let chunk = [b"10000\r\n".to_vec(), vec![b'z'; 65536], b"\r\n".to_vec()].concat();
    for _ in 0..(24 << 20) / 65536 {
        runtime.write(&chunk).await;
    }
    runtime.write(end).await;
    let (count, tail) = reader.await.unwrap();
    assert_eq!(count, chunk.len() * ((24 << 20) / 65536) + end.len());
    assert!(tail.ends_with(end));
    assert_eq!(runtime.read().await.unwrap().status(), 202);
    let status = std::fs::read_to_string(format!("/proc/{}/status", extension.child.id())).unwrap();
    let peak: u64 = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 12 << 10, "{peak} KiB at the most");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_registers_only_for_shutdown_and_ends_at_that_event() {
    let (platform, mut extension) = started().await;
    let ready = extension.folder.path().join(format!("brownout-{}.ready", extension.listen));
    until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
    assert_eq!(std::fs::read_to_string(&ready).unwrap().trim(), extension.child.id().to_string());
    let asked = platform.registrations.lock().unwrap().clone();
    assert_eq!(asked[0].header("Lambda-Extension-Name"), Some("brownout-extension"));
    assert_eq!(asked[0].body, br#"{"events":["SHUTDOWN"]}"#);
    assert_eq!(asked[1].header("Lambda-Extension-Identifier"), Some("ext-1"));
    platform.shut_down();
    assert_eq!(extension.exit_code().await, Some(0));
    assert!(!ready.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_registration_is_noted_and_the_proxy_keeps_serving() {
    let platform = Platform::start().await;
    platform.refuses_registration.store(true, Ordering::SeqCst);
    let extension = Extension::start(&platform, Some(&calm())).await;
    until("it is noted", || extension.notes().iter().any(|note| note.contains("refused registration with status 403")).then_some(())).await;
    platform.send(event("a", "1-a-b", LONG, b"{}"));
    assert_eq!(extension.connect().await.next().await.body, b"{}");
}

#[test]
fn it_ends_when_the_platform_is_gone() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (platform, mut extension) = runtime.block_on(started());
    runtime.block_on(until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())));
    // All of the platform's sockets close with the tokio runtime.
    runtime.shutdown_timeout(Duration::from_secs(5));
    let again = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(again.block_on(extension.exit_code()), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_next_that_the_platform_drops_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let platform = Platform::elsewhere(listener.local_addr().unwrap());
    let extension = Extension::start(&platform, Some(&calm())).await;
    let mut runtime = extension.connect().await;
    runtime.write(NEXT).await;
    let (mut asked, mut other) = (0, Vec::new());
    while asked < 3 {
        let (mut stream, _) = tokio::time::timeout(crate::support::PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut start = vec![0; NEXT.len()];
        stream.read_exact(&mut start).await.unwrap();
        if start != NEXT {
            other.push(stream);
            continue;
        }
        asked += 1;
        if asked == 3 {
            stream.write_all(&event("a", "1-a-b", LONG, b"{}")).await.unwrap();
        }
    }
    assert_eq!(runtime.read().await.unwrap().body, b"{}");
}
