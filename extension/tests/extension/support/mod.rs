//! A small platform (Runtime and Extensions API), a small runtime, and the real binary between
//! them. Everything that is started here ends with the test, even if that fails.
#![allow(dead_code, unused_imports, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod binary;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

pub use binary::{BINARY, Extension};

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One HTTP message as it came: its head as text, its body with the framing (`raw`) and without.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub head: String,
    pub raw: Vec<u8>,
    pub body: Vec<u8>,
    /// Whether it was cut off.
    pub truncated: bool,
    pub at: Option<Instant>,
}

impl Message {
    pub fn status(&self) -> u16 {
        self.head[9..12].parse().unwrap()
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Reads one message; `None` if the connection ended before it.
pub async fn read_message(stream: &mut TcpStream, kept: &mut Vec<u8>) -> Option<Message> {
    let mut chunk = vec![0; 256 << 10];
    let end = loop {
        if let Some(at) = kept.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => kept.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    };
    let head = String::from_utf8(kept.drain(..end).collect()).unwrap();
    let mut message = Message { head, at: Some(Instant::now()), ..Message::default() };
    let length =
        message.head.to_ascii_lowercase().split("content-length: ").nth(1).map(|rest| rest.lines().next().unwrap().parse::<u64>().unwrap());
    let mut body = if message.head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        extension::body::Body::CHUNKED
    } else {
        extension::body::Body::of_length(length.unwrap_or(0))
    };
    loop {
        let taken = body.advance_into(kept, |piece| message.body.extend_from_slice(piece)).unwrap();
        message.raw.extend(kept.drain(..taken));
        if body.is_done() {
            return Some(message);
        }
        match stream.read(&mut chunk).await {
            Ok(n) if n > 0 => kept.extend_from_slice(&chunk[..n]),
            _ => {
                message.truncated = true;
                return Some(message);
            }
        }
    }
}

/// The platform's side.
#[derive(Default)]
pub struct Platform {
    pub address: Option<SocketAddr>,
    events: Mutex<VecDeque<Vec<u8>>>,
    event_there: Notify,
    /// Everything that was received, except `next` and the Extensions API.
    received: Mutex<Vec<Message>>,
    received_there: Notify,
    /// The answers to the next requests that are not `next`; after them 202.
    pub answers: Mutex<VecDeque<Vec<u8>>>,
    pub waiting: AtomicUsize,
    pub nexts: Mutex<Vec<Message>>,
    /// Whether connections are closed after each answer, like a platform does while the environment
    /// is frozen.
    pub drops_connections: AtomicBool,
    pub refuses_registration: AtomicBool,
    /// The requests to the Extensions API, in order.
    pub registrations: Mutex<Vec<Message>>,
    shutdown: Notify,
}

pub const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n";

impl Platform {
    pub async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let platform = Arc::new(Self { address: Some(listener.local_addr().unwrap()), ..Self::default() });
        let serving = Arc::clone(&platform);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                tokio::spawn(async move { serving.serve(stream).await });
            }
        });
        platform
    }

    /// The address of a platform that the test itself serves.
    pub fn elsewhere(address: SocketAddr) -> Self {
        Self { address: Some(address), ..Self::default() }
    }

    async fn serve(&self, mut stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut kept = Vec::new();
        while let Some(message) = read_message(&mut stream, &mut kept).await {
            let path = message.path().to_owned();
            let answer = match path.as_str() {
                "/2020-01-01/extension/register" => {
                    self.registrations.lock().unwrap().push(message);
                    if self.refuses_registration.load(Ordering::SeqCst) {
                        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}".to_vec()
                    } else {
                        b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: ext-1\r\nContent-Length: 2\r\n\r\n{}".to_vec()
                    }
                }
                "/2020-01-01/extension/event/next" => {
                    self.registrations.lock().unwrap().push(message);
                    self.shutdown.notified().await;
                    b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"eventType\":\"SHUTDOWN\"}".to_vec()
                }
                "/2018-06-01/runtime/invocation/next" => {
                    self.nexts.lock().unwrap().push(message);
                    self.waiting.fetch_add(1, Ordering::SeqCst);
                    let mut end = [0];
                    let event = tokio::select! {
                        event = self.next_event() => event,
                        _ = stream.peek(&mut end) => { self.waiting.fetch_sub(1, Ordering::SeqCst); return }
                    };
                    self.waiting.fetch_sub(1, Ordering::SeqCst);
                    event
                }
                _ => {
                    self.received.lock().unwrap().push(message);
                    self.received_there.notify_waiters();
                    self.answers.lock().unwrap().pop_front().unwrap_or_else(|| ACCEPTED.to_vec())
                }
            };
            if stream.write_all(&answer).await.is_err() || self.drops_connections.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    async fn next_event(&self) -> Vec<u8> {
        loop {
            let there = self.event_there.notified();
            if let Some(event) = self.events.lock().unwrap().pop_front() {
                return event;
            }
            there.await;
        }
    }

    pub fn send(&self, event: Vec<u8>) {
        self.events.lock().unwrap().push_back(event);
        self.event_there.notify_one();
        self.event_there.notify_waiters();
    }

    pub fn shut_down(&self) {
        self.shutdown.notify_one();
    }

    /// Waits for the `n`-th message (from 0).
    pub async fn received(&self, n: usize) -> Message {
        until("the platform receives a message", || self.received.lock().unwrap().get(n).cloned()).await
    }

    pub fn received_count(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    pub fn all_received(&self) -> Vec<Message> {
        self.received.lock().unwrap().clone()
    }

    /// The answer to the invocation with this id.
    pub async fn answer_to(&self, id: &str) -> Message {
        let part = format!("/invocation/{id}/");
        until(&format!("an answer to {id}"), || self.received.lock().unwrap().iter().find(|m| m.path().contains(&part)).cloned()).await
    }
}

/// Waits for a condition.
pub async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An event as the platform sends it: with its length up to 2048 bytes, above that as one chunk.
pub fn event(id: &str, root: &str, deadline: Duration, body: &[u8]) -> Vec<u8> {
    let deadline = (SystemTime::now() + deadline).duration_since(UNIX_EPOCH).unwrap().as_millis();
    let mut event = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\nLambda-Runtime-Trace-Id: Root={root};Sampled=0\r\n"
    )
    .into_bytes();
    if body.len() > 2048 {
        event.extend(format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()).into_bytes());
        event.extend_from_slice(body);
        event.extend_from_slice(b"\r\n0\r\n\r\n");
    } else {
        event.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
        event.extend_from_slice(body);
    }
    event
}

/// A plan of run `r` for the function `f`, whose lease begins now.
pub fn plan(sequence: u64, lease_ms: u64, faults: &[String]) -> String {
    let until = unix_ms(SystemTime::now()) + lease_ms;
    let (head, faults) = (r#""version":1,"run":"r""#, faults.join(","));
    format!(r#"{{{head},"sequence":{sequence},"lease_ms":{lease_ms},"until_ms":{until},"seed":7,"faults":[{faults}]}}"#)
}

pub fn unix_ms(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// One fault of a plan.
pub fn fault(name: &str, share: f64, kind: &str) -> String {
    format!(r#"{{"name":"{name}","place":{{"function":"f"}},"share":{share},"kind":{kind}}}"#)
}

/// The runtime's side of one connection.
pub struct Runtime {
    pub stream: TcpStream,
    pub kept: Vec<u8>,
}

pub const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nUser-Agent: aws-lambda-rust/1.0\r\n\r\n";

impl Runtime {
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next message, or `None` if the connection ended.
    pub async fn read(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, read_message(&mut self.stream, &mut self.kept)).await.expect("no answer in time")
    }

    pub async fn ask(&mut self, bytes: &[u8]) -> Message {
        self.write(bytes).await;
        self.read().await.expect("the connection ended without an answer")
    }

    pub async fn next(&mut self) -> Message {
        self.ask(NEXT).await
    }

    pub async fn respond(&mut self, id: &str, body: &[u8]) -> Message {
        self.ask(&response(id, body)).await
    }
}

pub fn response(id: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\nContent-TYPE: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// A response in chunks, one for each piece, with further header and trailer lines.
pub fn chunked_response(id: &str, headers: &str, pieces: &[&[u8]], trailers: &str) -> Vec<u8> {
    let mut request =
        format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n{headers}Transfer-Encoding: chunked\r\n\r\n")
            .into_bytes();
    for piece in pieces {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend(format!("0\r\n{trailers}\r\n").into_bytes());
    request
}

/// A handler's own error.
pub fn error(id: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST /2018-06-01/runtime/invocation/{id}/error HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// The header that a streaming runtime sends besides the usual ones.
pub const STREAMING: &str = "Lambda-Runtime-Function-Response-Mode: streaming\r\n";

/// A platform, an extension that strikes every event with each of these kinds, and a runtime.
pub async fn started(kinds: &[&str]) -> (Arc<Platform>, Extension, Runtime) {
    let faults: Vec<_> = kinds.iter().enumerate().map(|(n, kind)| fault(&format!("f{n}"), 1.0, kind)).collect();
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{}", plan(1, 60_000, &faults)))).await;
    let runtime = extension.connect().await;
    (platform, extension, runtime)
}

/// A host that echoes everything until the end.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reads, mut writes) = stream.split();
                let _ = tokio::io::copy(&mut reads, &mut writes).await;
                let _ = writes.shutdown().await;
            });
        }
    });
    address
}
