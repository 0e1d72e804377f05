//! Events that are edited or delivered twice, seen from the runtime and from the platform, with the
//! real binary.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Extension, STREAMING, chunked_response, error, event, response, started};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);

async fn lines(extension: &Extension, id: &str, count: usize) -> Vec<(String, bool)> {
    extension.eligible(id, count).await.into_iter().map(|line| (line.of.action.to_string(), line.of.done)).collect()
}

/// The head of an event as it was sent.
fn head_of(event: &[u8]) -> String {
    String::from_utf8_lossy(event).split_inclusive("\r\n\r\n").next().unwrap().to_owned()
}

const SET: &str = r#"{"event":{"set":{"/body":"not json"},"remove":["/body"]}}"#;
const SET_RECORD: &str = r#"{"event":{"set":{"/Records/0/body":"not json"}}}"#;

/// The event of an HTTP request with these members besides the usual ones.
fn http(rest: &str) -> String {
    format!(r#"{{"version":"2.0","rawPath":"/a","requestContext":{{"http":{{"method":"POST"}}}}{rest}}}"#)
}

fn queue(rest: &str) -> String {
    format!(r#"{{"Records":[{{"messageId":"1","eventSource":"aws:sqs"{rest}}}]}}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_edited_and_nothing_else_of_it_changes() {
    let (platform, extension, mut runtime) = started(&[r#"{"event":{"set":{"/body":"not json"}}}"#]).await;
    let pad = "x".repeat(200_000);
    let rest = |body: &str| {
        http(&format!(
            r#", "stageVariables":{{"z":1,"a":2}}, "body" : "{body}" ,"cookies":[12345678901234567890123, 1.0e2,{{"ü":"\ud800"}}]"#
        ))
    };
    let large = |body: &str| http(&format!(r#","headers":{{"pad":"{pad}"}},"body":"{body}""#));
    for (id, sent, handed, done) in [
        ("small", rest("own"), rest("not json"), true),
        ("large", large("own"), large("not json"), true),
        ("text", "not json".to_owned(), "not json".to_owned(), false),
        ("unknown", r#"{"body":"own"}"#.to_owned(), r#"{"body":"own"}"#.to_owned(), false),
        ("authorizer", http(r#","routeArn":"x","body":"own""#), http(r#","routeArn":"x","body":"own""#), false),
        ("record", queue(r#","body":"own""#), queue(r#","body":"own""#), false),
    ] {
        let sent = event(id, ROOT, LONG, sent.as_bytes());
        platform.send(sent.clone());
        let got = runtime.next().await;
        assert_eq!(String::from_utf8_lossy(&got.body), handed, "{id}");
        let length = |head: &str| head.lines().find(|line| line.starts_with("Content-Length")).map(str::to_owned).unwrap_or_default();
        assert_eq!(got.head.replace(&length(&got.head), ""), head_of(&sent).replace(&length(&head_of(&sent)), ""), "{id}");
        assert_eq!(runtime.respond(id, br#"{"statusCode":500}"#).await.status(), 202);
        assert_eq!(platform.answer_to(id).await.body, br#"{"statusCode":500}"#);
        assert_eq!(lines(&extension, id, 1).await, [("edit-event".to_owned(), done)], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edits_are_made_one_after_another() {
    let again = r#"{"event":{"set":{"/body":null}}}"#;
    let (platform, extension, mut runtime) = started(&[SET, SET_RECORD, again]).await;
    platform.send(event("a", ROOT, LONG, http(r#","body":"own""#).as_bytes()));
    assert_eq!(runtime.next().await.body, http(r#","body":null"#).as_bytes());
    runtime.ask(&error("a", "own")).await;
    let done: Vec<_> = lines(&extension, "a", 3).await.into_iter().map(|(_, done)| done).collect();
    assert_eq!(done, [true, false, true]);
    assert_eq!(platform.answer_to("a").await.body, b"own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_event_never_grants_access() {
    let (platform, extension, mut runtime) = started(&[SET, SET_RECORD]).await;
    let (http, plain) = (http(""), queue(""));
    let long = vec![b'x'; 8 << 20];
    let allow = br#"{"policyDocument":{"Statement":[{"Effect":"Al"#;
    let unread = br#"{"x":"\ud800","decision":"\u0041LLOW"}"#;
    for (id, sent, answer, opens) in [
        ("refused", &http, response("refused", br#"{"statusCode":403,"body":"no"}"#), false),
        ("ok", &http, response("ok", br#"{"statusCode":200}"#), true),
        ("inferred", &http, response("inferred", br#"{"items":[]}"#), true),
        ("plain", &plain, response("plain", br#"{"items":[]}"#), false),
        ("decision", &plain, response("decision", br#"{"decision":"ALLOW"}"#), true),
        ("escaped", &plain, response("escaped", br#"{"decision":"\u0041llow"}"#), true),
        ("unread", &plain, response("unread", unread), true),
        ("pieces", &plain, chunked_response("pieces", "", &[allow, br#"low"}]}}"#], ""), true),
        ("chunked", &plain, chunked_response("chunked", "", &[b"fi", b"ne"], ""), false),
        ("streamed", &plain, chunked_response("streamed", STREAMING, &[b"fine"], ""), true),
        ("long", &plain, response("long", &long), true),
        ("error", &plain, error("error", "allow"), false),
    ] {
        platform.send(event(id, ROOT, LONG, sent.as_bytes()));
        assert!(runtime.next().await.body.windows(8).any(|eight| eight == b"not json"), "{id}");
        assert_eq!(runtime.ask(&answer).await.status(), 202, "{id}");
        let posted = platform.answer_to(id).await;
        let shut = posted.header("Lambda-Runtime-Function-Error-Type") == Some("Brownout.WouldHaveAllowed");
        assert_eq!(shut, opens, "{id}");
        assert_eq!(posted.path().ends_with("/error"), opens || id == "error", "{id}");
        assert!(opens || answer.ends_with(&posted.raw), "{id}");
        let done: Vec<_> = lines(&extension, id, 2).await.into_iter().map(|(_, done)| done).collect();
        assert_eq!(done, [*sent == http, *sent == plain], "{id}");
    }
    assert_eq!(extension.notes().iter().filter(|note| note.contains("could have allowed")).count(), 8);
    assert_eq!(platform.received_count(), 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_sent_again_is_checked_again() {
    let (platform, extension, mut runtime) = started(&[SET]).await;
    platform.send(event("a", ROOT, LONG, http("").as_bytes()));
    runtime.next().await;
    platform.drops_connections.store(true, std::sync::atomic::Ordering::SeqCst);
    platform.answers.lock().unwrap().extend([Vec::new(), Vec::new()]);
    runtime.write(&response("a", br#"{"isAuthorized":true}"#)).await;
    assert!(runtime.read().await.is_none(), "the platform has taken nothing");
    assert_eq!(extension.connect().await.respond("a", br#"{"isAuthorized":true}"#).await.status(), 202);
    for n in 0..3 {
        let posted = platform.received(n).await;
        assert_eq!(posted.header("Lambda-Runtime-Function-Error-Type"), Some("Brownout.WouldHaveAllowed"), "{n}");
    }
    assert_eq!((extension.eligible("a", 1).await.len(), platform.received_count()), (1, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_may_grant_access_is_replaced_under_every_other_fault() {
    for other in [r#"{"response":{"cut-at":14}}"#, r#"{"response":{"corrupt":1}}"#, r#"{"stream":{"first-byte":"1ms"}}"#, r#"{"again":{}}"#]
    {
        let (platform, extension, mut runtime) = started(&[other, SET]).await;
        platform.send(event("a", ROOT, LONG, http(r#","body":"own""#).as_bytes()));
        let handed = if other.contains("again") { 2 } else { 1 };
        for _ in 0..handed {
            assert_eq!(runtime.next().await.body, http(r#","body":"not json""#).as_bytes());
            runtime.respond("a", br#"{"isAuthorized":true}"#).await;
        }
        let posted = platform.answer_to("a").await;
        assert_eq!(posted.header("Lambda-Runtime-Function-Error-Type"), Some("Brownout.WouldHaveAllowed"), "{other}");
        let done: Vec<_> = lines(&extension, "a", 2).await.into_iter().map(|(_, done)| done).collect();
        assert_eq!(done, [handed == 2, true], "{other}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raw_answer_is_given_only_if_the_event_shows_that_its_caller_does_not_decide_about_access() {
    let (refusal, batch) = (r#"{"statusCode":503}"#, r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#);
    let large = http(&format!(r#","body":"{}""#, "x".repeat(3 << 20)));
    for (raw, done_to) in [(refusal, &["http", "large", "queue", "topic"][..]), (batch, &["queue", "topic"])] {
        let kind = serde_json::json!({ "response": { "raw": raw } }).to_string();
        let (platform, extension, mut runtime) = started(&[&kind]).await;
        for (id, sent) in [
            ("http", http("")),
            ("large", large.clone()),
            ("queue", queue("")),
            ("topic", r#"{"Records":[{"EventSource":"aws:sns"}]}"#.to_owned()),
            ("authorizer", http(r#","type":"REQUEST","routeArn":"a""#)),
            ("sign-in", r#"{"version":"1","triggerSource":"DefineAuthChallenge_Authentication","request":{},"response":{}}"#.to_owned()),
            ("transfer", r#"{"username":"u","password":"p","serverId":"s"}"#.to_owned()),
            ("task", r#"{"order":1}"#.to_owned()),
            ("text", "not json".to_owned()),
        ] {
            platform.send(event(id, ROOT, LONG, sent.as_bytes()));
            assert_eq!(runtime.next().await.body, sent.as_bytes(), "{id}");
            assert_eq!(runtime.respond(id, b"\"no\"").await.status(), 202, "{id}");
            let done = done_to.contains(&id);
            assert_eq!(String::from_utf8(platform.answer_to(id).await.body).unwrap(), if done { raw } else { "\"no\"" }, "{id}");
            assert_eq!(lines(&extension, id, 1).await, [("replace".to_owned(), done)], "{id}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_handed_over_twice_and_the_second_answer_counts() {
    let (platform, extension, mut runtime) = started(&[r#"{"again":{}}"#]).await;
    let large = vec![b'x'; 6 << 20];
    for (id, payload) in [("small", b"{}".to_vec()), ("large", large)] {
        let sent = event(id, ROOT, LONG, &payload);
        platform.send(sent.clone());
        for n in 0..2 {
            let got = runtime.next().await;
            assert_eq!(got.head, head_of(&sent), "{id} {n}");
            assert!(sent.ends_with(&got.raw) && got.body == payload, "{id} {n}");
            let body = format!("answer {n}");
            let answer = if n == 0 { chunked_response(id, STREAMING, &[body.as_bytes()], "") } else { response(id, body.as_bytes()) };
            assert_eq!(runtime.ask(&answer).await.status(), 202);
        }
        assert_eq!(platform.answer_to(id).await.body, b"answer 1");
        assert_eq!(lines(&extension, id, 1).await, [("hand-twice".to_owned(), true)]);
    }
    // The second answer may be the handler's own error.
    platform.send(event("c", ROOT, LONG, b"{}"));
    runtime.next().await;
    runtime.respond("c", b"first").await;
    runtime.next().await;
    runtime.ask(&error("c", "own")).await;
    assert_eq!(platform.answer_to("c").await.body, b"own");
    assert_eq!(lines(&extension, "c", 1).await, [("hand-twice".to_owned(), true)]);
    assert_eq!(platform.received_count(), 3);
}

/// An answer with a refusal and a number.
fn numbered(id: &str, time: usize) -> String {
    format!(r#"{{"statusCode":500,"body":"{id} {time}"}}"#)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_pollers_mix_up_no_events() {
    const EVENTS: usize = 320;
    let (platform, extension, _) = started(&[r#"{"again":{}}"#, r#"{"event":{"set":{"/body":"not json"}}}"#]).await;
    let seen = Arc::new(Mutex::new(BTreeMap::<String, usize>::new()));
    for n in 0..EVENTS {
        let sent = http(&format!(r#","routeKey":"i{n}""#));
        platform.send(event(&format!("i{n}"), &format!("1-0-{n:024}"), LONG, sent.as_bytes()));
    }
    let mut pollers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (mut runtime, seen) = (extension.connect().await, Arc::clone(&seen));
        pollers.spawn(async move {
            loop {
                let event = runtime.next().await;
                let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
                assert_eq!(event.body, http(&format!(r#","routeKey":"{id}","body":"not json""#)).into_bytes());
                let time = { *seen.lock().unwrap().entry(id.clone()).and_modify(|times| *times += 1).or_insert(1) };
                runtime.respond(&id, numbered(&id, time).as_bytes()).await;
            }
        });
    }
    for n in 0..EVENTS {
        let id = format!("i{n}");
        assert_eq!(platform.answer_to(&id).await.body, numbered(&id, 2).into_bytes());
        assert_eq!(lines(&extension, &id, 2).await, [("hand-twice".to_owned(), true), ("edit-event".to_owned(), true)], "{id}");
    }
    pollers.abort_all();
    assert_eq!(platform.received_count(), EVENTS);
    assert!(seen.lock().unwrap().values().all(|times| *times == 2));
}
