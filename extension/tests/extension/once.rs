//! A request that may have been processed is not sent again, and an ambiguous head is tidied before
//! it is passed on (RFC 9110, 9.2.2; RFC 9112, 5.1 and 6.3).

use std::net::SocketAddr;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{BINARY, Extension, Message, PATIENCE, Platform, Runtime, event, read_message, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A host that reads some requests on each connection, answers all but the last one, and drops the
/// connection.
struct Dropping {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Dropping {
    async fn start(requests: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
        let all = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let all = Arc::clone(&all);
                tokio::spawn(async move {
                    let mut kept = Vec::new();
                    for n in 1..=requests {
                        let Some(request) = read_message(&mut stream, &mut kept).await else { return };
                        all.lock().unwrap().push(request.head.lines().next().unwrap().to_owned());
                        if n < requests {
                            stream.write_all(crate::support::ACCEPTED).await.unwrap();
                        }
                    }
                });
            }
        });
        Self { address, taken }
    }

    fn taken(&self, line: &str) -> usize {
        self.taken.lock().unwrap().iter().filter(|taken| taken.starts_with(line)).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_the_platform_read_and_dropped_is_sent_again_only_if_it_is_idempotent() {
    let platform = Dropping::start(1).await;
    let extension = Extension::start(&Platform::elsewhere(platform.address), Some("")).await;
    for (line, times) in [
        ("POST /2018-06-01/runtime/invocation/a/response", 1),
        ("POST /2018-06-01/runtime/init/error", 1),
        ("PATCH /any", 1),
        ("GET /2018-06-01/any", 3),
        ("PUT /2018-06-01/any", 3),
    ] {
        let mut runtime = extension.connect().await;
        runtime.write(format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").as_bytes()).await;
        assert!(runtime.read().await.is_none(), "{line}: the runtime sees what the platform did");
        assert_eq!(platform.taken(line), times, "{line}");
    }
}

/// A call of the function to a host through the extension.
async fn call(extension: &Extension, host: SocketAddr) -> Runtime {
    let ready = extension.folder.path().join(format!("brownout-{}.ready", extension.listen));
    let ready = until("the ready file is there", || std::fs::read_to_string(&ready).ok()).await;
    let proxy = ready.lines().find_map(|line| line.strip_prefix("HTTP_PROXY=http://")).unwrap().to_owned();
    assert_ne!(host.to_string(), proxy);
    Runtime { stream: tokio::net::TcpStream::connect(proxy).await.unwrap(), kept: Vec::new() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_a_host_read_and_dropped_is_sent_again_only_if_it_is_idempotent() {
    for (method, times) in [("POST", 2), ("GET", 3)] {
        let host = Dropping::start(2).await;
        let platform = Platform::start().await;
        let extension = Extension::start_with(&platform, Some(""), &[("BROWNOUT_OUTBOUND", "on")]).await;
        let mut call = call(&extension, host.address).await;
        let request = format!("{method} http://{0}/ HTTP/1.1\r\nHost: {0}\r\nContent-Length: 0\r\n\r\n", host.address);
        assert_eq!(call.ask(request.as_bytes()).await.status(), 202);
        // On the same connection: the host reads it and drops it.
        call.write(request.as_bytes()).await;
        let answer = call.read().await;
        assert_eq!((answer.is_some(), host.taken(method)), (method == "GET", times), "{method}");
    }
}

async fn received(platform: &Platform, n: usize) -> Message {
    platform.received(n).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_lengths_is_passed_on_with_one_and_is_its_connections_last() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some("")).await;
    let mut runtime = extension.connect().await;
    let head =
        "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nX-First: 1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
    // By its length it would end within the chunks, and the rest would be read as another request.
    let answer = runtime.ask(format!("{head}4\r\nmine\r\n0\r\n\r\n").as_bytes()).await;
    assert_eq!(answer.status(), 202);
    let got = received(&platform, 0).await;
    assert_eq!(got.body, b"mine");
    assert!(!got.head.contains("Content-Length") && got.head.contains("X-First: 1\r\nTransfer-Encoding: chunked\r\n"), "{}", got.head);
    let mut rest = [0];
    let end = tokio::time::timeout(PATIENCE, runtime.stream.read(&mut rest)).await.expect("the connection stays open");
    assert!(matches!(end, Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_followed_by_a_space_is_refused_from_a_runtime_and_tidied_for_one() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some("")).await;
    for name in ["Content-Length ", "Transfer-Encoding\t", "X-Any "] {
        let mut runtime = extension.connect().await;
        let request = format!("POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\n{name}: 4\r\n\r\nmine");
        assert_eq!(runtime.ask(request.as_bytes()).await.status(), 400, "{name}");
    }
    assert_eq!(platform.received_count(), 0);
    let text = String::from_utf8(event("a", "1-a-b", Duration::from_secs(30), b"{}")).unwrap();
    platform.send(text.replace("Content-Length:", "Content-Length :").into_bytes());
    let event = extension.connect().await.next().await;
    assert_eq!((event.body.as_slice(), event.head.contains("\r\nContent-Length: 2\r\n")), (&b"{}"[..], true), "{}", event.head);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ready_file_that_cannot_be_written_is_noted_once_and_events_pass() {
    let platform = Platform::start().await;
    // A folder is in the place of the file.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", r#"mkdir "$TMPDIR/brownout-$BROWNOUT_LISTEN.ready" && exec "$0""#, BINARY]);
    let extension = Extension::start_by(command, &platform, Some("")).await;
    let said = || extension.notes().iter().filter(|note| note.contains("the ready file cannot be written")).count();
    until("it is said", || (said() > 0).then_some(())).await;
    platform.send(event("a", "1-a-b", Duration::from_secs(30), b"{}"));
    assert_eq!(extension.connect().await.next().await.body, b"{}");
    assert_eq!(said(), 1);
}
