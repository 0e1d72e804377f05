//! With no fault in force nobody can tell that the extension is there: bytes, order, framing, connections. With the real binary.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use support::{ACCEPTED, Extension, NEXT, Platform, event, plan, response, until};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_responses_of_every_size_pass_byte_for_byte() {
    let (platform, extension) = started().await;
    let mut runtime = extension.connect().await;
    for (n, size) in [0, 1, 2048, 2049, 256 << 10, (6 << 20) + 100].into_iter().enumerate() {
        let id = format!("id-{n}");
        let body: Vec<u8> = (0..size).map(|at| (at * 31 + at / 251) as u8).collect();
        let sent = event(&id, "1-a-b", LONG, &body);
        platform.send(sent.clone());
        let got = runtime.next().await;
        let whole = [got.head.as_bytes(), &got.raw].concat();
        assert!(whole == sent, "{size}: the event changed: {}", got.head);
        let sent = response(&id, &body);
        let answer = runtime.ask(&sent).await;
        assert_eq!([answer.head.as_bytes(), &answer.raw].concat(), ACCEPTED);
        let got = platform.answer_to(&id).await;
        assert!([got.head.as_bytes(), &got.raw].concat() == sent, "{size}: the response changed: {}", got.head);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platforms_answers_come_back_as_they_are() {
    let (platform, extension) = started().await;
    for (status, keeps) in [("400 Bad Request", true), ("403 Forbidden", true), ("413 Payload Too Large", true), ("500 X", false)] {
        let connection = if keeps { "" } else { "Connection: close\r\n" };
        let answer =
            format!("HTTP/1.1 {status}\r\nx-AMZ-Odd: 1\r\n{connection}X-Amz-Odd:  2\r\nContent-Length: 12\r\n\r\n{{\"no\":\"way\"}}");
        platform.answers.lock().unwrap().push_back(answer.clone().into_bytes());
        let mut runtime = extension.connect().await;
        let got = runtime.ask(&response("unknown", b"{}")).await;
        assert_eq!(got.head + std::str::from_utf8(&got.raw).unwrap(), answer);
        if keeps {
            assert_eq!(runtime.respond("x", b"{}").await.status(), 202);
        } else {
            assert!(runtime.read().await.is_none(), "the connection should have been closed");
        }
    }
    // A 403 to `next` must not become an event.
    platform.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}".to_vec());
    assert_eq!(extension.connect().await.next().await.status(), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_paths_pass_and_so_do_odd_requests() {
    let (platform, extension) = started().await;
    let mut runtime = extension.connect().await;
    let requests: [&[u8]; 5] = [
        b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHOST: a\r\nLambda-Runtime-Function-Error-Type: Init.X\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nhost: a\r\nUser-Agent: me/1\r\n\r\n",
        b"PUT /2022-07-01/telemetry HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\n\xff\xfe\x00\n\r\n0\r\n\r\n",
        b"POST /2040-01-01/a/b?c=%20d HTTP/1.1\r\nHost:a\r\nx-a: 1\r\nX-B: 2\r\nx-A: 3\r\nContent-Length: 3\r\n\r\n\xc3\x28\x00",
        b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for (n, request) in requests.into_iter().enumerate() {
        assert_eq!(runtime.ask(request).await.status(), 202);
        let got = platform.received(n).await;
        assert_eq!([got.head.as_bytes(), &got.raw].concat(), request, "{}", String::from_utf8_lossy(request));
    }
    // Two requests in one packet are answered in order.
    runtime.write(&[requests[0], requests[4]].concat()).await;
    assert_eq!(runtime.read().await.unwrap().status(), 202);
    assert_eq!(runtime.read().await.unwrap().status(), 202);
    assert_eq!(platform.received(6).await.path(), "/");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_of_a_mebibyte_passes() {
    let (platform, extension) = started().await;
    let cause = "c".repeat(1 << 20);
    let request = format!(
        "POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\nLambda-Runtime-Function-XRay-Error-Cause: {cause}\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    assert_eq!(extension.connect().await.ask(request.as_bytes()).await.status(), 202);
    assert_eq!(platform.received(0).await.head.len() + 2, request.len());
}

/// A response stream that has begun: the runtime's end, and the platform's as bare bytes. What else the platform was asked stays open.
struct Stream {
    extension: Extension,
    runtime: support::Runtime,
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
async fn a_stream_is_not_held_back() {
    let mut stream = stream().await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        stream.runtime.write(b"1\r\nx\r\n").await;
        let mut piece = [0; 6];
        stream.far.read_exact(&mut piece).await.unwrap();
        times.push(began.elapsed());
    }
    times.sort();
    // The median: on a busy machine one piece may be late for reasons of its own.
    assert!(times[25] < Duration::from_millis(10), "{times:?}");
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
async fn a_runtime_that_dies_half_way_is_seen_as_truncated() {
    let (platform, extension) = started().await;
    let mut runtime = extension.connect().await;
    runtime.write(b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel").await;
    drop(runtime);
    let got = platform.answer_to("a").await;
    assert!(got.truncated);
    assert_eq!(got.body, b"hel");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_pollers_never_mix_anything_up() {
    let (platform, extension) = started().await;
    let events = 16 * 60;
    let mut pollers = Vec::new();
    for _ in 0..16 {
        let mut runtime = extension.connect().await;
        pollers.push(tokio::spawn(async move {
            loop {
                let got = runtime.next().await;
                let id = got.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
                if id == "end" {
                    return;
                }
                assert_eq!(got.body, format!("event of {id}").repeat(id.len() * 20).as_bytes());
                assert_eq!(runtime.respond(&id, format!("answer of {id}").as_bytes()).await.status(), 202);
            }
        }));
    }
    for n in 0..events {
        let id = format!("id-{n}");
        platform.send(event(&id, "1-a-b", LONG, format!("event of {id}").repeat(id.len() * 20).as_bytes()));
    }
    for _ in 0..16 {
        platform.send(event("end", "1-a-b", LONG, b"{}"));
    }
    for poller in pollers {
        poller.await.unwrap();
    }
    assert_eq!(platform.received_count(), events);
    for n in 0..events {
        assert_eq!(platform.answer_to(&format!("id-{n}")).await.body, format!("answer of id-{n}").as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_platform_drops_loses_no_call() {
    let (platform, extension) = started().await;
    platform.drops_connections.store(true, Ordering::SeqCst);
    let mut runtime = extension.connect().await;
    for n in 0..100 {
        let id = format!("id-{n}");
        platform.send(event(&id, "1-a-b", LONG, b"{}"));
        assert_eq!(runtime.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some(id.as_str()));
        // The platform has closed by the time that a handler answers.
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert_eq!(runtime.respond(&id, b"{}").await.status(), 202);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(platform.received_count(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_next_that_the_runtime_cancels_does_not_swallow_the_event() {
    let (platform, extension) = started().await;
    for n in 0..20 {
        let mut first = extension.connect().await;
        first.write(NEXT).await;
        until("the platform is asked", || (platform.waiting.load(Ordering::SeqCst) > 0).then_some(())).await;
        drop(first);
        let id = format!("id-{n}");
        if n % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        // Dropped before or just as the event comes.
        tokio::time::sleep(Duration::from_millis(5)).await;
        platform.send(event(&id, "1-a-b", LONG, b"{}"));
        let mut second = extension.connect().await;
        assert_eq!(second.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some(id.as_str()));
        second.respond(&id, b"{}").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_registers_for_shutdown_only_and_ends_when_told() {
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
async fn a_refused_registration_is_noted_and_served_on() {
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
    // With the runtime all of the platform's sockets go.
    runtime.shutdown_timeout(Duration::from_secs(5));
    let again = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(again.block_on(extension.exit_code()), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_next_that_the_platform_drops_is_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let platform = Platform::elsewhere(listener.local_addr().unwrap());
    let extension = Extension::start(&platform, Some(&calm())).await;
    let mut runtime = extension.connect().await;
    runtime.write(NEXT).await;
    let (mut asked, mut other) = (0, Vec::new());
    while asked < 3 {
        let (mut stream, _) = tokio::time::timeout(support::PATIENCE, listener.accept()).await.unwrap().unwrap();
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
