//! The function's calls to other hosts through the extension: untouched without a fault, and every
//! kind of trouble on new and on kept connections.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{ACCEPTED, Extension, PATIENCE, Platform, Runtime, echo, event, fault, plan, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);

struct Function {
    platform: Arc<Platform>,
    extension: Extension,
    runtime: Runtime,
    variables: HashMap<String, String>,
    host: SocketAddr,
}

impl Function {
    /// A function whose calls to 127.0.0.1 have this trouble in every invocation, and an echo as its host.
    async fn start(trouble: &str) -> Self {
        let (platform, host) = (Platform::start().await, echo().await);
        let kind = format!(r#"{{"dependency":{{"host":"127.0.*","trouble":{trouble}}}}}"#);
        let plan = format!("json:{}", plan(1, 60_000, &[fault("calls", 1.0, &kind)]));
        let endpoint = format!("http://{host}");
        let variables = [("BROWNOUT_OUTBOUND", "on"), ("AWS_ENDPOINT_URL_DYNAMODB", endpoint.as_str()), ("NO_PROXY", "before")];
        let extension = Extension::start_with(&platform, Some(&plan), &variables).await;
        let ready = extension.folder.path().join(format!("brownout-{}.ready", extension.listen));
        let text = until("the ready file is there", || std::fs::read_to_string(&ready).ok()).await;
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some(extension.child.id().to_string().as_str()));
        let variables = lines.map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap()).collect();
        let runtime = extension.connect().await;
        Self { platform, extension, runtime, variables, host }
    }

    fn address(&self, variable: &str) -> String {
        self.variables[variable].strip_prefix("http://").unwrap().to_owned()
    }

    async fn tunnel(&self) -> std::io::Result<(TcpStream, String)> {
        let mut stream = TcpStream::connect(self.address("HTTPS_PROXY")).await?;
        stream.write_all(format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", self.host).as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        Ok((stream, String::from_utf8(head).unwrap()))
    }

    async fn forwarded(&self) -> TcpStream {
        TcpStream::connect(self.address("AWS_ENDPOINT_URL_DYNAMODB")).await.unwrap()
    }

    async fn begin(&mut self, id: &str) {
        self.platform.send(event(id, ROOT, LONG, b"{}"));
        self.runtime.next().await;
    }

    /// Answers; returns whether the ledger says that a call was affected.
    async fn end(&mut self, id: &str) -> bool {
        self.runtime.respond(id, b"{}").await;
        self.extension.eligible(id, 1).await[0].done
    }
}

/// Sends a text and reads as many bytes back.
async fn say(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut heard = vec![0; text.len()];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut heard)).await.expect("in time")?;
    Ok(heard)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_struck_passes_byte_for_byte_with_both_ends() {
    let mut function = Function::start(r#""reset""#).await;
    let kept = "before,127.0.0.1,localhost,169.254.170.2,169.254.169.254,169.254.79.129,127.0.0.2";
    assert_eq!(function.variables["no_proxy"], kept);
    assert_eq!(function.variables.len(), 7);
    let sent = noise(3 << 20);
    for stream in [function.tunnel().await.unwrap().0, function.forwarded().await] {
        let (mut reads, mut writes) = stream.into_split();
        let said = sent.clone();
        let saying = tokio::spawn(async move {
            writes.write_all(&said).await.unwrap();
            writes.shutdown().await.unwrap();
            writes
        });
        let mut heard = Vec::new();
        tokio::time::timeout(PATIENCE, reads.read_to_end(&mut heard)).await.unwrap().unwrap();
        assert!(heard == sent, "{} of {} bytes", heard.len(), sent.len());
        drop(saying.await.unwrap());
    }
    function.begin("a").await;
    assert!(!function.end("a").await, "no call was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_host_is_a_502_for_new_calls_and_an_end_for_kept_ones() {
    let mut function = Function::start(r#""refused""#).await;
    let (mut kept, head) = function.tunnel().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(say(&mut kept, b"one").await.unwrap(), b"one");
    function.begin("a").await;
    assert!(say(&mut kept, b"two").await.is_err());
    assert!(function.end("a").await);
    function.begin("b").await;
    assert!(function.tunnel().await.unwrap().1.starts_with("HTTP/1.1 502 "));
    assert!(say(&mut function.forwarded().await, b"three").await.is_err());
    assert!(function.end("b").await);
    assert_eq!(say(&mut function.forwarded().await, b"four").await.unwrap(), b"four");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_is_a_reset() {
    let mut function = Function::start(r#""reset""#).await;
    let (mut kept, _) = function.tunnel().await.unwrap();
    let mut forwarded = function.forwarded().await;
    for stream in [&mut kept, &mut forwarded] {
        assert_eq!(say(stream, b"one").await.unwrap(), b"one");
    }
    function.begin("a").await;
    for stream in [&mut kept, &mut forwarded] {
        assert_eq!(say(stream, b"two").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    assert_eq!(function.tunnel().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(function.end("a").await);
    assert_eq!(say(&mut function.tunnel().await.unwrap().0, b"three").await.unwrap(), b"three");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_swallows_until_the_invocation_ends() {
    let mut function = Function::start(r#""blackholed""#).await;
    let (mut kept, _) = function.tunnel().await.unwrap();
    let mut idle = function.forwarded().await;
    for stream in [&mut kept, &mut idle] {
        assert_eq!(say(stream, b"one").await.unwrap(), b"one");
    }
    function.begin("a").await;
    let mut new = function.forwarded().await;
    for stream in [&mut kept, &mut new] {
        stream.write_all(b"two").await.unwrap();
        let read = tokio::time::timeout(Duration::from_millis(100), stream.read_u8()).await;
        assert!(read.is_err(), "{read:?}");
    }
    assert!(function.end("a").await);
    for stream in [&mut kept, &mut new] {
        assert!(tokio::time::timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err(), "it ends with the invocation");
    }
    assert_eq!(say(&mut idle, b"three").await.unwrap(), b"three", "an idle connection is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_host_is_slow_once_for_each_exchange() {
    let mut function = Function::start(r#"{"slow":"80ms"}"#).await;
    let (mut kept, _) = function.tunnel().await.unwrap();
    assert_eq!(say(&mut kept, b"one").await.unwrap(), b"one");
    function.begin("a").await;
    for text in [b"two", b"six"] {
        let began = Instant::now();
        assert_eq!(say(&mut kept, text).await.unwrap(), text);
        assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    }
    let began = Instant::now();
    assert_eq!(say(&mut function.forwarded().await, b"new").await.unwrap(), b"new");
    assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
    assert!(function.end("a").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_host_limits_bytes_a_second_for_both_directions_together() {
    let mut function = Function::start(r#"{"throttled":10000}"#).await;
    let (mut kept, _) = function.tunnel().await.unwrap();
    function.begin("a").await;
    let (began, sent) = (Instant::now(), noise(2000));
    assert_eq!(say(&mut kept, &sent).await.unwrap(), sent);
    assert!(began.elapsed() >= Duration::from_millis(350), "{:?}", began.elapsed());
    assert!(function.end("a").await);
    let (sent, began) = (noise(1 << 20), Instant::now());
    let (mut reads, mut writes) = kept.into_split();
    let said = sent.clone();
    let saying = tokio::spawn(async move { writes.write_all(&said).await.map(|()| writes) });
    let mut heard = vec![0; sent.len()];
    tokio::time::timeout(PATIENCE, reads.read_exact(&mut heard)).await.unwrap().unwrap();
    assert!(heard == sent && began.elapsed() < PATIENCE);
    drop(saying.await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_requests_go_to_their_hosts_and_are_affected_by_faults() {
    let mut function = Function::start(r#""refused""#).await;
    let (one, two) = (Platform::start().await, Platform::start().await);
    let stream = TcpStream::connect(function.address("http_proxy")).await.unwrap();
    let mut client = Runtime { stream, kept: Vec::new() };
    for (n, host) in [&one, &two, &one].into_iter().enumerate() {
        let address = host.address.unwrap();
        let request = format!(
            "POST http://{address}/x?{n} HTTP/1.1\r\nHost: {address}\r\nProxy-Connection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"
        );
        let answer = client.ask(request.as_bytes()).await;
        assert_eq!((answer.status(), answer.raw.as_slice()), (202, &ACCEPTED[ACCEPTED.len() - 16..]));
    }
    let got = one.received(1).await;
    assert_eq!(got.head, format!("POST /x?2 HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\n\r\n", one.address.unwrap()));
    assert_eq!((got.body.as_slice(), two.received_count()), (&b"hello"[..], 1));
    function.begin("a").await;
    let request = format!("GET http://{}/ HTTP/1.1\r\nHost: x\r\n\r\n", one.address.unwrap());
    assert_eq!(client.ask(request.as_bytes()).await.status(), 502);
    assert!(function.end("a").await);
    assert_eq!(one.received_count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_open_invocations_are_not_affected_and_that_is_noted_once() {
    let mut function = Function::start(r#""refused""#).await;
    function.begin("a").await;
    let mut other = function.extension.connect().await;
    function.platform.send(event("b", ROOT, LONG, b"{}"));
    other.next().await;
    for _ in 0..3 {
        assert_eq!(say(&mut function.forwarded().await, b"fine").await.unwrap(), b"fine");
    }
    other.respond("b", b"{}").await;
    assert!(say(&mut function.forwarded().await, b"alone").await.is_err());
    assert!(function.end("a").await);
    let notes = function.extension.notes();
    assert_eq!(notes.iter().filter(|note| note.contains("several invocations")).count(), 1, "{notes:?}");
}
