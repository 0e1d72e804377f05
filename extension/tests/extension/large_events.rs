//! Large events under a plan in force: the first bytes are passed on before the last ones have come
//! if no fault needs the end, and they are not parsed into a tree.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{BINARY, Extension, NEXT, PATIENCE, Platform, event, plan, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(300);

/// A fault that waits for a millisecond, for events of this filter.
fn wait(when: &str) -> String {
    format!(r#"{{"name":"wait","place":{{"function":"f"}},"share":1,"when":{when},"kind":{{"latency":{{"time":"1ms"}}}}}}"#)
}

/// Nested JSON of about this many bytes, as a member.
fn nested(bytes: usize) -> String {
    let one = r#"{"id":12345678901234567890123,"tags":["a","b\"c"],"in":{"x":1.50,"y":[null,true]}}"#;
    format!(r#""rows":[{}{one}]"#, format!("{one},").repeat(bytes / (one.len() + 1)))
}

async fn started(fault: &str) -> (Arc<Platform>, Extension) {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{}", plan(1, 60_000, &[fault.to_owned()])))).await;
    (platform, extension)
}

/// The same with the test itself as the platform's Runtime API: its listener, and a runtime that
/// waits for an event.
async fn held(fault: &str) -> (Arc<Platform>, Extension, TcpStream, TcpStream) {
    let platform = Platform::start().await;
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = Command::new(BINARY);
    command.env("BROWNOUT_UPSTREAM", upstream.local_addr().unwrap().to_string());
    let extension = Extension::start_by(command, &platform, Some(&format!("json:{}", plan(1, 60_000, &[fault.to_owned()])))).await;
    let mut runtime = extension.connect().await;
    runtime.write(NEXT).await;
    let (mut far, _) = tokio::time::timeout(PATIENCE, upstream.accept()).await.unwrap().unwrap();
    read(&mut far, NEXT.len()).await;
    (platform, extension, runtime.stream, far)
}

async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut bytes)).await.expect("nothing comes").unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_bytes_are_passed_on_before_the_last_ones_have_come() {
    let body = format!(r#"{{"path":"/a","n":{{"m":[1,2]}},{}}}"#, nested(6 << 20));
    for (when, is_struck) in [
        ("{}", true),
        (r#"{"path":"/a"}"#, true),
        (r#"{"path":"/b"}"#, false),
        (r#"{"pointer":{"/n/m/1":2},"path":"/*"}"#, true),
        (r#"{"pointer":{"/n/m/2":2}}"#, false),
        (r#"{"pointer":{"/n/o":1}}"#, false),
    ] {
        let (_platform, extension, mut runtime, mut far) = held(&wait(when)).await;
        let sent = event("a", ROOT, LONG, body.as_bytes());
        let (first, rest) = sent.split_at(1 << 20);
        far.write_all(first).await.unwrap();
        assert!(read(&mut runtime, first.len()).await == first, "{when}");
        far.write_all(rest).await.unwrap();
        assert!(read(&mut runtime, rest.len()).await == rest, "{when}");
        let struck = || extension.entries().iter().any(|entry| matches!(entry, faults::Entry::Decided(_)));
        if is_struck {
            // The line is written before the event is handed over, but may be read after it.
            until(when, || struck().then_some(())).await;
        }
        assert_eq!(struck(), is_struck, "{when}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_at_the_end_is_found_with_any_framing_and_without_building_a_tree() {
    let (platform, extension) = started(&wait(r#"{"pointer":{"/last/0":"x"},"source-arn":"arn:*"}"#)).await;
    let mut runtime = extension.connect().await;
    for (n, bytes) in [1 << 10, 4 << 10, 64 << 10, 256 << 10, 6 << 20].into_iter().enumerate() {
        let id = format!("i{n}");
        let body = format!(r#"{{{},"last":["x"],"methodArn":"arn:a"}}"#, nested(bytes - 200));
        let sent = event(&id, ROOT, LONG, body.as_bytes());
        platform.send(sent.clone());
        let got = runtime.next().await;
        assert!(sent.ends_with(&got.raw) && got.body == body.as_bytes(), "{bytes}");
        assert_eq!(extension.eligible(&id, 1).await[0].action.as_str(), "wait-before", "{bytes}");
        runtime.respond(&id, b"{}").await;
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", extension.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // The event itself has 6 MB; a tree of it has more than ten times that.
    assert!(peak < 16_000, "{peak} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_in_many_chunks_is_read_as_one() {
    let (platform, extension) = started(&wait(r#"{"pointer":{"/last":[12345,"ü"]}}"#)).await;
    let mut runtime = extension.connect().await;
    let body = format!(r#"{{{},"last":[12345,"ü"]}}"#, nested(200 << 10));
    for (n, size) in [1, 7, 1000, 70_000].into_iter().enumerate() {
        let id = format!("i{n}");
        let head = event(&id, ROOT, LONG, &[b' '; 3000]);
        let mut sent = head[..head.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4].to_vec();
        // Only the end is in small pieces, because many chunks take time.
        let (front, back) = body.as_bytes().split_at(body.len() - 500);
        for chunk in std::iter::once(front).chain(back.chunks(size)) {
            sent.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            sent.extend_from_slice(chunk);
            sent.extend_from_slice(b"\r\n");
        }
        sent.extend_from_slice(b"0\r\n\r\n");
        platform.send(sent.clone());
        let got = runtime.next().await;
        assert!(sent.ends_with(&got.raw) && got.body == body.as_bytes(), "{size}");
        assert_eq!(extension.eligible(&id, 1).await[0].action.as_str(), "wait-before", "{size}");
        runtime.respond(&id, b"{}").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_not_json_passes_untouched() {
    let (platform, extension) = started(&wait(r#"{"pointer":{"/last":1}}"#)).await;
    let mut runtime = extension.connect().await;
    let large = nested(200 << 10);
    for (n, body) in [
        b"not json".to_vec(),
        br#"{"last":1"#.iter().take(8).copied().collect(),
        b"{\"x\":\"\xff\",\"last\":1}".to_vec(),
        format!("{{{large},,\"last\":1}}").into_bytes(),
        format!("[{{{large}}}]").into_bytes(),
        vec![b'['; 300_000],
        Vec::new(),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("i{n}");
        let sent = event(&id, ROOT, LONG, &body);
        platform.send(sent.clone());
        let got = runtime.next().await;
        assert!([got.head.as_bytes(), &got.raw].concat() == sent, "{n}");
        assert_eq!(runtime.respond(&id, b"mine").await.status(), 202, "{n}");
        assert_eq!(platform.answer_to(&id).await.body, b"mine", "{n}");
    }
    assert!(extension.entries().iter().all(|entry| !matches!(entry, faults::Entry::Decided(_))));
}
