//! Damaged and paced answers of a handler, seen from the runtime and from the platform, with the
//! real binary.

use std::time::{Duration, Instant};

use crate::support::{
    ACCEPTED, Extension, Message, Platform, Runtime, STREAMING, chunked_response, error, event, response, started, until,
};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);

/// Handles one event by sending `answer`; returns what the runtime and the platform get.
async fn handled(platform: &Platform, runtime: &mut Runtime, id: &str, answer: &[u8]) -> (Message, Message) {
    platform.send(event(id, ROOT, LONG, b"{}"));
    assert_eq!(runtime.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some(id));
    let told = runtime.ask(answer).await;
    (told, platform.answer_to(id).await)
}

/// The actions of an invocation and whether each was carried out.
async fn lines(extension: &Extension, id: &str, count: usize) -> Vec<(String, bool)> {
    extension.eligible(id, count).await.into_iter().map(|line| (line.of.action.to_string(), line.of.done)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_cut_with_any_framing() {
    for (at, kept, done) in [(1, "h", true), (4, "hell", true), (5, "hello", true), (10, "hello12345", false), (11, "hello12345", false)] {
        let (platform, extension, mut runtime) = started(&[&format!(r#"{{"response":{{"cut-at":{at}}}}}"#)]).await;
        let trailers = "Lambda-Runtime-Function-Error-Type: Own\r\n";
        for (id, answer, raw_end) in [
            ("buffered", response("buffered", b"hello12345"), kept.to_owned()),
            ("chunked", chunked_response("chunked", "", &[b"hello", b"12345"], ""), "0\r\n\r\n".to_owned()),
            ("streamed", chunked_response("streamed", STREAMING, &[b"hello", b"12345"], trailers), format!("0\r\n{trailers}\r\n")),
        ] {
            let (told, posted) = handled(&platform, &mut runtime, id, &answer).await;
            assert_eq!((told.status(), told.raw.as_slice()), (202, &ACCEPTED[ACCEPTED.len() - 16..]), "{id} at {at}");
            assert_eq!((String::from_utf8(posted.body).unwrap().as_str(), posted.truncated), (kept, false), "{id} at {at}");
            assert!(String::from_utf8(posted.raw).unwrap().ends_with(&raw_end), "{id} at {at}");
            assert_eq!(lines(&extension, id, 1).await, [("cut".to_owned(), done)], "{id} at {at}");
            if id == "buffered" {
                let head = String::from_utf8(response(id, b"hello12345")).unwrap().split_inclusive("\r\n\r\n").next().unwrap().to_owned();
                assert_eq!(posted.head, head.replace("Length: 10", &format!("Length: {}", kept.len())));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_never_cut_to_nothing_and_a_damaged_answer_is_not_json() {
    let deny = br#"  {"statusCode":403,"isAuthorized":false}"#;
    for kind in [r#"{"response":{"cut-at":2}}"#, r#"{"response":{"corrupt":1}}"#] {
        let (platform, _extension, mut runtime) = started(&[kind]).await;
        for (id, answer) in [("buffered", response("buffered", deny)), ("chunked", chunked_response("chunked", "", &[deny], ""))] {
            let (_, posted) = handled(&platform, &mut runtime, id, &answer).await;
            assert_eq!(posted.body.first(), Some(&0xFF), "{kind} {id}");
            assert!(!String::from_utf8_lossy(&posted.body).trim().is_empty(), "{kind} {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_corrupted_with_any_framing() {
    let (platform, extension, mut runtime) = started(&[r#"{"response":{"corrupt":7}}"#]).await;
    let large = vec![b'x'; 3 << 20];
    let small = b"some text that is not too short".to_vec();
    let mut first = None;
    for (id, answer, sent, struck) in [
        ("small", response("small", &small), &small, 7),
        ("large", response("large", &large), &large, 7),
        ("tiny", response("tiny", b"abc"), &b"abc".to_vec(), 3),
        ("chunked", chunked_response("chunked", "", &[&small[..9], &small[9..]], "X-Own: 1\r\n"), &small, 7),
        ("streamed", chunked_response("streamed", STREAMING, &[&large[..], &large[..10]], ""), &vec![b'x'; large.len() + 10], 7),
        ("empty", response("empty", b""), &Vec::new(), 0),
        ("no-chunks", chunked_response("no-chunks", "", &[], ""), &Vec::new(), 0),
    ] {
        let (told, posted) = handled(&platform, &mut runtime, id, &answer).await;
        assert_eq!((told.status(), posted.truncated, posted.body.len()), (202, false, sent.len()), "{id}");
        let differs = posted.body.iter().zip(sent).filter(|(got, was)| got != was).inspect(|(got, _)| assert_eq!(**got, 0xFF)).count();
        assert_eq!(differs, struck, "{id}");
        assert_eq!(posted.head, String::from_utf8_lossy(&answer).split_inclusive("\r\n\r\n").next().unwrap(), "{id}");
        assert_eq!(lines(&extension, id, 1).await, [("corrupt".to_owned(), struck > 0)], "{id}");
        if id == "chunked" {
            assert!(posted.raw.ends_with(b"0\r\nX-Own: 1\r\n\r\n"));
            assert_eq!(first.as_ref(), Some(&posted.body), "the places depend on the seed and the trace alone");
        }
        if id == "small" {
            first = Some(posted.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_answer_never_reaches_the_platform_and_no_event_comes_before_the_deadline() {
    let (platform, extension, mut runtime) = started(&[r#"{"response":{"drop":true}}"#]).await;
    let large = vec![b'x'; 2 << 20];
    for (id, answer) in [("a", response("a", b"mine")), ("b", chunked_response("b", STREAMING, &[&large], ""))] {
        let deadline = Instant::now() + Duration::from_millis(800);
        platform.send(event(id, ROOT, Duration::from_millis(800), b"{}"));
        runtime.next().await;
        assert_eq!(runtime.ask(&answer).await.status(), 202);
        assert_eq!(lines(&extension, id, 1).await, [("drop".to_owned(), true)]);
        runtime.write(crate::support::NEXT).await;
        platform.send(event(&format!("{id}-after"), ROOT, LONG, b"{}"));
        assert_eq!(runtime.read().await.unwrap().header("Lambda-Runtime-Aws-Request-Id").unwrap(), format!("{id}-after"));
        // The deadline is sent in whole milliseconds.
        assert!(Instant::now() + Duration::from_millis(2) >= deadline);
        runtime.ask(&error(&format!("{id}-after"), "own")).await;
    }
    assert_eq!(platform.received_count(), 2, "the two errors");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_handlers_own_error_is_not_changed() {
    for (kind, action) in [
        (r#"{"response":{"cut-at":1}}"#, "cut"),
        (r#"{"response":{"corrupt":1}}"#, "corrupt"),
        (r#"{"response":{"drop":true}}"#, "drop"),
        (r#"{"stream":{"cut-after":1}}"#, "stream"),
        (r#"{"again":{}}"#, "hand-twice"),
    ] {
        let (platform, extension, mut runtime) = started(&[kind]).await;
        let (told, posted) = handled(&platform, &mut runtime, "a", &error("a", "own")).await;
        assert_eq!((told.status(), posted.body.as_slice()), (202, &b"own"[..]), "{kind}");
        assert_eq!(lines(&extension, "a", 1).await, [(action.to_owned(), false)], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_passed_on_late_and_slowly() {
    let (platform, extension, mut runtime) = started(&[r#"{"stream":{"first-byte":"60ms","bytes-per-second":100000}}"#]).await;
    let body: Vec<u8> = (0..20_000_u32).map(|n| n as u8).collect();
    for (id, answer) in [
        ("buffered", response("buffered", &body)),
        ("chunked", chunked_response("chunked", "", &[&body], "")),
        ("streamed", chunked_response("streamed", STREAMING, &[&body[..7], &body[7..]], "X-Own: 1\r\n")),
    ] {
        let began = Instant::now();
        let (told, posted) = handled(&platform, &mut runtime, id, &answer).await;
        assert!(began.elapsed() >= Duration::from_millis(260), "{id}: {:?}", began.elapsed());
        assert_eq!((told.status(), posted.truncated), (202, false), "{id}");
        assert!(posted.body == body, "{id}");
        let line = extension.eligible(id, 1).await.remove(0);
        assert_eq!((line.action.as_str(), line.done), ("stream", true), "{id}");
        assert!((200_000..2_000_000).contains(&line.waited_us), "{id}: {} us", line.waited_us);
        if id == "streamed" {
            assert!(posted.raw.ends_with(b"0\r\nX-Own: 1\r\n\r\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_is_paced_in_little_memory() {
    let (platform, extension, mut runtime) = started(&[r#"{"stream":{"bytes-per-second":40000000}}"#]).await;
    let body = vec![b'x'; 20 << 20];
    let began = Instant::now();
    let (told, posted) = handled(&platform, &mut runtime, "a", &chunked_response("a", STREAMING, &[&body], "")).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    assert_eq!((told.status(), posted.body.len(), posted.truncated), (202, body.len(), false));
    let status = std::fs::read_to_string(format!("/proc/{}/status", extension.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 12_000, "{peak} kB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_breaks_off_within_an_answer_and_the_runtime_does_not_notice() {
    for (after, cut) in [(0, true), (4, true), (10, false)] {
        let (platform, extension, mut runtime) = started(&[&format!(r#"{{"stream":{{"cut-after":{after}}}}}"#)]).await;
        for (id, answer, cut) in [
            ("buffered", response("buffered", b"hello12345"), cut),
            ("streamed", chunked_response("streamed", STREAMING, &[b"hello", b"12345"], ""), true),
        ] {
            let (told, posted) = handled(&platform, &mut runtime, id, &answer).await;
            assert_eq!(told.status(), 202, "{id} after {after}");
            assert_eq!((posted.body.as_slice(), posted.truncated), (&b"hello12345"[..after], cut), "{id} after {after}");
            assert_eq!(lines(&extension, id, 1).await, [("stream".to_owned(), cut)], "{id} after {after}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_an_error_in_its_trailers() {
    let trailers = "Lambda-Runtime-Function-Error-Type: Brownout.Test\r\n\
        Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJubyIsImVycm9yVHlwZSI6IkJyb3dub3V0LlRlc3QifQ==\r\n\r\n";
    let announced = "Trailer: Lambda-Runtime-Function-Error-Type\r\nTrailer: Lambda-Runtime-Function-Error-Body\r\n";
    for (settings, kept) in [("", "hello12345"), (r#""cut-after":4,"#, "hell"), (r#""cut-after":100,"#, "hello12345")] {
        let kind = format!(r#"{{"stream":{{{settings}"error":{{"type":"Brownout.Test","message":"no"}}}}}}"#);
        let (platform, extension, mut runtime) = started(&[&kind]).await;
        for (id, headers) in [("plain", STREAMING.to_owned()), ("announced", format!("{STREAMING}{announced}"))] {
            let own = "lambda-runtime-function-error-type: Own\r\nX-Own: 1\r\n";
            let answer = chunked_response(id, &headers, &[b"hello", b"12345"], own);
            let (told, posted) = handled(&platform, &mut runtime, id, &answer).await;
            assert_eq!((told.status(), posted.body.as_slice(), posted.truncated), (202, kept.as_bytes(), false), "{kind}");
            assert_eq!(posted.head.matches("Trailer:").count(), 2, "{}", posted.head);
            let raw = String::from_utf8(posted.raw).unwrap();
            let own = if kept.len() == 10 { "X-Own: 1\r\n" } else { "" };
            assert!(raw.ends_with(&format!("0\r\n{own}{trailers}")), "{kind}: {raw}");
            assert_eq!(lines(&extension, id, 1).await, [("stream".to_owned(), true)], "{kind}");
        }
        // An answer that is not chunked has no trailers.
        let (told, posted) = handled(&platform, &mut runtime, "buffered", &response("buffered", b"hello12345")).await;
        assert_eq!((told.status(), posted.body.as_slice(), posted.truncated), (202, kept.as_bytes(), kept.len() < 10), "{kind}");
        assert_eq!(lines(&extension, "buffered", 1).await, [("stream".to_owned(), false)], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_several_faults_that_end_the_invocation_is_carried_out() {
    let (wait, cut, replace) =
        (r#"{"latency":{"at":"after","time":"20ms"}}"#, r#"{"response":{"cut-at":2}}"#, r#"{"response":{"raw":"not json"}}"#);
    let (lose, slow, twice) =
        (r#"{"error":{"type":"Lost","handler-runs":true}}"#, r#"{"stream":{"first-byte":"20ms"}}"#, r#"{"again":{}}"#);
    let early = r#"{"latency":{"time":"20ms"}}"#;
    for (kinds, body, done) in [
        (vec![wait, cut], "mi", vec![true, true]),
        (vec![cut, wait], "mi", vec![true, true]),
        (vec![cut, replace, lose, slow], "mi", vec![true, false, false, false]),
        (vec![replace, cut], "not json", vec![true, false]),
        (vec![lose, replace], "Lost", vec![true, false]),
        (vec![slow, cut], "mine", vec![true, false]),
        (vec![early, slow, wait], "mine", vec![true, true, true]),
        (vec![twice, cut, wait, early], "mi", vec![true, true, true, true]),
        (vec![cut, twice, twice], "mi", vec![true, true, false]),
    ] {
        let (platform, extension, mut runtime) = started(&kinds).await;
        platform.send(event("a", ROOT, LONG, br#"{"Records":[{"eventSource":"aws:sqs"}]}"#));
        let handled = if kinds.contains(&twice) { 2 } else { 1 };
        let began = Instant::now();
        for _ in 0..handled {
            assert_eq!(runtime.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some("a"));
            assert_eq!(runtime.respond("a", b"mine").await.status(), 202, "{kinds:?}");
        }
        let waits = kinds.iter().zip(&done).filter(|(kind, done)| **done && kind.contains("20ms")).count() as u32;
        assert!(began.elapsed() >= Duration::from_millis(20) * waits, "{kinds:?}: {:?}", began.elapsed());
        let posted = platform.answer_to("a").await;
        assert!(posted.body == body.as_bytes() || (body == "Lost" && posted.path().ends_with("/error")), "{kinds:?}: {posted:?}");
        let lines: Vec<_> = extension.eligible("a", kinds.len()).await.into_iter().map(|line| line.done).collect();
        assert_eq!(lines, done, "{kinds:?}");
        assert_eq!(platform.received_count(), 1, "{kinds:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_written_before_the_platform_has_the_whole_answer() {
    for kind in [r#"{"response":{"cut-at":3}}"#, r#"{"response":{"corrupt":1}}"#, r#"{"stream":{"bytes-per-second":100000}}"#] {
        let (platform, extension, mut runtime) = started(&[kind]).await;
        for n in 0..10 {
            let id = format!("i{n}");
            let answer = if n % 2 == 0 { response(&id, b"hello") } else { chunked_response(&id, STREAMING, &[b"hel", b"lo"], "") };
            let (_, posted) = handled(&platform, &mut runtime, &id, &answer).await;
            let line = extension.eligible(&id, 1).await;
            assert_eq!((line.len(), line[0].done, posted.truncated), (1, true, false), "{kind} {id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_that_dies_within_a_paced_stream_is_seen_as_truncated() {
    let (platform, extension, mut runtime) = started(&[r#"{"stream":{"bytes-per-second":1000000}}"#]).await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    let answer = chunked_response("a", STREAMING, &[b"hello", b"12345"], "");
    runtime.write(&answer[..answer.len() - 9]).await;
    drop(runtime);
    assert!(platform.answer_to("a").await.truncated);
    until("it is told", || (!extension.entries().is_empty()).then_some(())).await;
    assert_eq!(extension.eligible("a", 1).await.len(), 1);
}
