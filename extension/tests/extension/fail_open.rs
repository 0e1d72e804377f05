//! If the plan, the platform, the machine or the settings are broken, events and answers pass as
//! they would without the extension, and the ledger shows what happened. With the real binary.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{ACCEPTED, BINARY, Extension, NEXT, PATIENCE, Platform, event, fault, plan, read_message, response, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(300);

/// A command that becomes the binary after a shell's preparation.
fn shell(preparation: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", preparation, BINARY]);
    command
}

async fn noted(extension: &Extension, what: &str) {
    until(&format!("`{what}` is noted"), || extension.notes().iter().any(|note| note.contains(what)).then_some(())).await;
}

/// Checks that one event and its answer pass byte for byte.
async fn passes(case: &str, platform: &Platform, extension: &Extension, id: &str) {
    let mut runtime = extension.connect().await;
    let sent = event(id, ROOT, LONG, br#"{"httpMethod":"GET","path":"/x"}"#);
    platform.send(sent.clone());
    let got = runtime.next().await;
    assert_eq!([got.head.as_bytes(), &got.raw].concat(), sent, "{case}");
    assert_eq!(runtime.ask(&response(id, b"mine")).await.status(), 202, "{case}");
    assert_eq!(platform.answer_to(id).await.body, b"mine", "{case}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_plan_lets_everything_pass() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        format!("file:{}", folder.path().join(name).display())
    };
    let struck = fault("slow", 1.0, r#"{"error":{}}"#);
    let good = plan(1, 60_000, std::slice::from_ref(&struck));
    std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
    for (case, setting, note) in [
        ("nothing known", "gopher://bucket/plan".to_owned(), "`BROWNOUT_PLAN` must be"),
        ("no JSON", "json:{".to_owned(), "not understood at line 1"),
        ("another form", "json:[]".to_owned(), "not understood"),
        ("null", "json:null".to_owned(), "not understood"),
        ("an unknown kind", format!("json:{}", good.replace("error", "mistake")), "not understood"),
        ("another version", format!("json:{}", good.replace("\"version\":1", "\"version\":2")), "version 2"),
        ("a lease too long", format!("json:{}", good.replace("60000", "60001")), "not understood"),
        ("what cannot be done", format!("json:{}", good.replace("{\"error\":{}}", "{\"response\":{}}")), "cannot be done in `slow`"),
        ("an empty file", file("empty", b""), "not understood"),
        ("no UTF-8", file("utf8", b"{\"version\":1,\"run\":\"\xff\"}"), "not understood"),
        ("deeply nested", file("deep", &vec![b'['; 250_000]), "not understood"),
        ("5 MB of garbage", file("large", &vec![b'x'; 5 << 20]), "more than 262144"),
        ("a folder", format!("file:{}", folder.path().display()), "not a regular file"),
        ("no file", "file:/nowhere/at/all".to_owned(), "cannot be read"),
        ("a link to itself", format!("file:{}", folder.path().join("loop").display()), "cannot be read"),
        ("a device that never ends", "file:/dev/zero".to_owned(), "not a regular file"),
    ] {
        let platform = Platform::start().await;
        let extension = Extension::start(&platform, Some(&setting)).await;
        passes(case, &platform, &extension, "a").await;
        noted(&extension, note).await;
    }
}

/// What is sent instead of an answer, and whether a reset follows; `None` if the platform works.
type Script = Arc<Mutex<Option<(Vec<u8>, bool)>>>;

/// A platform that answers with the script instead of a right answer, and then closes or resets the
/// connection.
struct Broken {
    address: std::net::SocketAddr,
    script: Script,
    /// Whether the Extensions API is broken too.
    all: Arc<AtomicBool>,
    posted: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Broken {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broken = Self { address: listener.local_addr().unwrap(), script: Arc::default(), all: Arc::default(), posted: Arc::default() };
        let (script, all, posted) = (Arc::clone(&broken.script), Arc::clone(&broken.all), Arc::clone(&broken.posted));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&all), Arc::clone(&posted)));
            }
        });
        broken
    }
}

async fn serve(mut stream: TcpStream, script: Script, all: Arc<AtomicBool>, posted: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut kept = Vec::new();
    while let Some(message) = read_message(&mut stream, &mut kept).await {
        let extensions = message.path().starts_with("/2020-01-01");
        let script = script.lock().unwrap().clone();
        if let Some((script, reset)) = script.filter(|_| !extensions || all.load(Ordering::SeqCst)) {
            let _ = stream.write_all(&script).await;
            if reset {
                // Everything must be sent by now, or it would be lost with the connection.
                tokio::time::sleep(Duration::from_millis(20)).await;
                let socket = stream.into_std().unwrap();
                rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
            }
            return;
        }
        let answer = match message.path() {
            "/2020-01-01/extension/register" => {
                b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: ext-1\r\nContent-Length: 2\r\n\r\n{}".to_vec()
            }
            "/2020-01-01/extension/event/next" => std::future::pending().await,
            "/2018-06-01/runtime/invocation/next" => event("good", ROOT, LONG, b"{}"),
            _ => {
                posted.lock().unwrap().push(message.body);
                ACCEPTED.to_vec()
            }
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// Everything that comes back until the connection ends.
async fn asked(address: std::net::SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut got = Vec::new();
    // A reset ends it as well.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut got)).await.expect("the connection never ends");
    got
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_platforms_behaviour_is_passed_on_and_the_next_event_passes() {
    const CLOSED: &str = "without an answer";
    const BROKEN: &str = "broke off an answer";
    let half_a_body = &b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"sta"[..];
    let half_a_chunk = &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"[..];
    for (case, script, seen, note) in [
        ("no answer", &b""[..], &b""[..], CLOSED),
        ("half a head", b"HTTP/1.1 200 OK\r\nLambda-Run", b"", BROKEN),
        ("half a body", half_a_body, half_a_body, BROKEN),
        ("half a chunk", half_a_chunk, half_a_chunk, BROKEN),
        ("not HTTP", b"SSH-2.0-x\r\n\r\n", b"", BROKEN),
        ("HTTP/2", b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80", b"", BROKEN),
        ("no length", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", b"", BROKEN),
        ("no chunks", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"", BROKEN),
        ("no status", b"HTTP/1.1 OK\r\n\r\n", b"", BROKEN),
    ] {
        for reset in [false, true] {
            let broken = Broken::start().await;
            let calm = format!("json:{}", plan(1, 60_000, &[]));
            let extension = Extension::start(&Platform::elsewhere(broken.address), Some(&calm)).await;
            *broken.script.lock().unwrap() = Some((script.to_vec(), reset));
            for request in [NEXT.to_vec(), response("a", b"{}")] {
                let (direct, through) = (asked(broken.address, &request).await, asked(extension.listen, &request).await);
                assert_eq!(direct, script, "{case}, reset {reset}");
                assert_eq!(through, seen, "{case}, reset {reset}");
            }
            noted(&extension, note).await;
            *broken.script.lock().unwrap() = None;
            let mut runtime = extension.connect().await;
            assert_eq!(runtime.next().await.body, b"{}", "{case}, reset {reset}");
            assert_eq!(runtime.respond("good", b"mine").await.status(), 202, "{case}, reset {reset}");
            assert_eq!(*broken.posted.lock().unwrap(), [b"mine"], "{case}, reset {reset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_cannot_be_reached_is_noted_once_and_found_again() {
    let platform = Platform::start().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = gone.local_addr().unwrap();
    drop(gone);
    let mut command = Command::new(BINARY);
    command.env("BROWNOUT_UPSTREAM", upstream.to_string());
    let extension = Extension::start_by(command, &platform, Some(&format!("json:{}", plan(1, 60_000, &[])))).await;
    for _ in 0..3 {
        assert_eq!(asked(extension.listen, NEXT).await, b"", "without us a runtime would see nothing either");
    }
    noted(&extension, "cannot be reached").await;
    assert_eq!(extension.notes().len(), 1, "{:?}", extension.notes());
    let again = TcpListener::bind(upstream).await.unwrap();
    let mut runtime = extension.connect().await;
    runtime.write(NEXT).await;
    let (mut far, _) = tokio::time::timeout(PATIENCE, again.accept()).await.unwrap().unwrap();
    far.write_all(&event("a", ROOT, LONG, b"{}")).await.unwrap();
    assert_eq!(runtime.read().await.unwrap().body, b"{}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_answer_of_the_extensions_api_does_not_end_the_extension() {
    for (script, reset) in [(&b"SSH-2.0-x\r\n\r\n"[..], false), (b"", true), (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}", false)] {
        let broken = Broken::start().await;
        broken.all.store(true, Ordering::SeqCst);
        *broken.script.lock().unwrap() = Some((script.to_vec(), reset));
        let mut extension = Extension::start(&Platform::elsewhere(broken.address), Some("json:{}")).await;
        noted(&extension, "Extensions API did not answer").await;
        *broken.script.lock().unwrap() = None;
        let mut runtime = extension.connect().await;
        assert_eq!(runtime.next().await.body, b"{}");
        assert_eq!(runtime.respond("good", b"mine").await.status(), 202);
        assert!(extension.child.try_wait().unwrap().is_none(), "it has ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_request_of_a_runtime_gets_an_error_and_affects_no_other() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{}", plan(1, 60_000, &[])))).await;
    for request in [&b"GET /\r\n\r\n"[..], b"\0\0\0\0\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/2\r\n\r\n"] {
        assert!(asked(extension.listen, request).await.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(request));
        passes("after nonsense", &platform, &extension, &format!("id-{}", request.len())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_function_runs_even_if_the_extension_cannot_listen_or_write() {
    let slow = format!("json:{}", plan(1, 60_000, &[fault("slow", 1.0, r#"{"latency":{"time":"1ms"}}"#)]));
    let platform = Platform::start().await;
    let extension = Extension::start_by(shell(r#"exec "$0" >/dev/full"#), &platform, Some(&slow)).await;
    passes("a full disk for the ledger", &platform, &extension, "a").await;
    drop(extension);

    let platform = Platform::start().await;
    let taken = TcpListener::bind(("127.0.0.2", platform.address.unwrap().port())).await.unwrap();
    let extension = Extension::start(&platform, Some(&slow)).await;
    noted(&extension, "cannot listen").await;
    // It still registers, or the environment would never start; and no runtime is pointed at it.
    until("it has registered", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
    let files: Vec<_> = std::fs::read_dir(extension.folder.path()).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_descriptor_left_events_pass_and_afterwards_everything_does() {
    const LIMIT: usize = 24;
    let slow = format!("json:{}", plan(1, 60_000, &[fault("slow", 1.0, r#"{"latency":{"time":"1ms"}}"#)]));
    let platform = Platform::start().await;
    let mut extension = Extension::start_by(shell(&format!(r#"ulimit -n {LIMIT}; exec "$0""#)), &platform, Some(&slow)).await;
    until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
    let (mut first, mut second) = (extension.connect().await, extension.connect().await);
    platform.send(event("a", ROOT, LONG, b"{}"));
    first.next().await;
    first.respond("a", b"{}").await;
    // Both are accepted before the crowd comes.
    second.respond("unknown", b"{}").await;
    let mut crowd = Vec::new();
    for _ in 0..2 * LIMIT {
        crowd.push(TcpStream::connect(extension.listen).await.unwrap());
    }
    let open = || std::fs::read_dir(format!("/proc/{}/fd", extension.child.id())).unwrap().count();
    until("no descriptor is left", || (open() >= LIMIT).then_some(())).await;
    platform.send(event("b", ROOT, LONG, b"{}"));
    first.next().await;
    first.respond("b", b"{}").await;
    let line = extension.eligible("b", 1).await.remove(0);
    assert!(line.done && line.waited_us >= 1000, "a wait needs no descriptor: {line:?}");
    // The only connection to the platform waits for an event; another one is made as soon as there
    // is a descriptor.
    first.write(NEXT).await;
    until("the platform is asked", || (platform.waiting.load(Ordering::SeqCst) == 1).then_some(())).await;
    second.write(&response("c", b"late")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(crowd);
    assert_eq!(second.read().await.expect("its connection was cut").status(), 202);
    platform.send(event("d", ROOT, LONG, b"{}"));
    assert_eq!(first.read().await.unwrap().body, b"{}");
    first.respond("d", b"{}").await;
    assert!(extension.eligible("d", 1).await[0].done);
    assert!(extension.child.try_wait().unwrap().is_none(), "it has ended");
}

/// One line about an event that is held for a minute when the platform ends.
async fn held(extension: &Extension, platform: &Platform, at: &str) -> crate::support::Runtime {
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.write(NEXT).await;
    if at == "after" {
        assert_eq!(runtime.read().await.unwrap().body, b"{}");
        runtime.write(&response("a", b"{}")).await;
    }
    until("the event is taken", || (extension.line_count() > 0 && platform.waiting.load(Ordering::SeqCst) == 0).then_some(())).await;
    // The wait should have begun by now; if not, there is nothing to cut short and the test fails.
    tokio::time::sleep(Duration::from_millis(200)).await;
    runtime
}

async fn cut_short(extension: &Extension, began: Instant) {
    let line = extension.eligible("a", 1).await.remove(0);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(!line.done && line.waited_us > 0 && line.waited_us < 30_000_000, "{line:?}");
}

fn a_minute(at: &str) -> String {
    format!("json:{}", plan(1, 60_000, &[fault("slow", 1.0, &format!(r#"{{"latency":{{"at":"{at}","time":"60s"}}}}"#))]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_cut_short_when_the_platform_sends_shutdown() {
    for at in ["before", "after"] {
        let platform = Platform::start().await;
        let mut extension = Extension::start(&platform, Some(&a_minute(at))).await;
        let began = Instant::now();
        let _runtime = held(&extension, &platform, at).await;
        platform.shut_down();
        assert_eq!(extension.exit_code().await, Some(0), "{at}");
        cut_short(&extension, began).await;
    }
}

#[test]
fn a_wait_is_cut_short_when_the_platform_is_gone() {
    let there = tokio::runtime::Runtime::new().unwrap();
    let began = Instant::now();
    let (mut extension, _runtime) = there.block_on(async {
        let platform = Platform::start().await;
        let extension = Extension::start(&platform, Some(&a_minute("before"))).await;
        until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
        let runtime = held(&extension, &platform, "before").await;
        (extension, runtime)
    });
    // All of the platform's sockets close with the tokio runtime.
    there.shutdown_timeout(Duration::from_secs(5));
    let again = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    again.block_on(async {
        assert_eq!(extension.exit_code().await, Some(1));
        cut_short(&extension, began).await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_connection_the_platform_closes_while_it_is_held_is_handed_over() {
    let slow = format!("json:{}", plan(1, 60_000, &[fault("slow", 1.0, r#"{"latency":{"time":"300ms"}}"#)]));
    let platform = Platform::start().await;
    platform.drops_connections.store(true, Ordering::SeqCst);
    let extension = Extension::start(&platform, Some(&slow)).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    assert_eq!(runtime.next().await.body, b"{}");
    assert_eq!(runtime.respond("a", b"mine").await.status(), 202);
    assert!(extension.eligible("a", 1).await[0].done);
}
