//! The effects of faults on invocations, seen from the runtime and from the platform, with the real
//! binary.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::{ACCEPTED, Extension, Platform, event, fault, plan, until};
use faults::{Arm, Entry, Start};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);

fn fixed(faults: &[String]) -> String {
    format!("json:{}", plan(1, 60_000, faults))
}

async fn started(faults: &[String]) -> (std::sync::Arc<Platform>, Extension) {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&fixed(faults))).await;
    (platform, extension)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_before_and_after_is_waited_and_measured() {
    let faults = [
        fault("before", 1.0, r#"{"latency":{"at":"before","time":"60ms"}}"#),
        fault("after", 1.0, r#"{"latency":{"at":"after","time":"40ms"}}"#),
    ];
    let (platform, extension) = started(&faults).await;
    let mut runtime = extension.connect().await;
    for (id, start) in [("a", Start::Cold), ("b", Start::Warm)] {
        platform.send(event(id, ROOT, LONG, b"{}"));
        let began = Instant::now();
        assert_eq!(runtime.next().await.body, b"{}");
        assert!(began.elapsed() >= Duration::from_millis(60), "{:?}", began.elapsed());
        let began = Instant::now();
        let answer = runtime.respond(id, b"fine").await;
        assert_eq!((answer.status(), answer.raw.as_slice()), (202, &ACCEPTED[ACCEPTED.len() - 16..]));
        assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());
        let lines = extension.eligible(id, 2).await;
        for (line, (name, action, least)) in
            lines.iter().zip([("before", "wait-before", 60_000..90_000), ("after", "wait-after", 40_000..70_000)])
        {
            assert_eq!((line.fault.as_str(), line.action.as_str(), line.arm), (name, action, Arm::Treatment));
            assert!(least.contains(&line.waited_us), "{name}: {} us", line.waited_us);
            assert_eq!((line.start, line.done, line.root.as_deref()), (start, true, Some(ROOT)));
        }
    }
    let cold: Vec<_> = extension.entries().into_iter().filter(|entry| matches!(entry, Entry::ColdStart { .. })).collect();
    assert_eq!(cold, [Entry::ColdStart { function: "f".into(), request_id: "a".into(), root: Some(ROOT.into()) }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_never_reaches_the_handler() {
    let refuse = format!(
        r#"{{"name":"refuse","place":{{"function":"f"}},"share":1,"when":{{"path":"/struck/*"}},"kind":{}}}"#,
        r#"{"error":{"type":"Brownout.Test","message":"no"}}"#
    );
    let (platform, extension) = started(&[refuse]).await;
    let mut runtime = extension.connect().await;
    for id in ["a", "b", "c"] {
        platform.send(event(id, ROOT, LONG, br#"{"httpMethod":"GET","path":"/struck/1"}"#));
    }
    let large = format!(r#"{{"pad":"{}","httpMethod":"GET","path":"/left/alone"}}"#, "x".repeat(300_000));
    platform.send(event("d", ROOT, LONG, large.as_bytes()));
    let handed = runtime.next().await;
    assert_eq!(handed.header("Lambda-Runtime-Aws-Request-Id"), Some("d"));
    assert_eq!(handed.body, large.as_bytes());
    for (n, id) in ["a", "b", "c"].into_iter().enumerate() {
        let error = platform.received(n).await;
        assert_eq!(error.path(), format!("/2018-06-01/runtime/invocation/{id}/error"));
        assert_eq!(error.header("Lambda-Runtime-Function-Error-Type"), Some("Brownout.Test"));
        assert_eq!(error.body, br#"{"errorMessage":"no","errorType":"Brownout.Test","stackTrace":[]}"#);
        let lines = extension.eligible(id, 1).await;
        assert_eq!((lines[0].action.as_str(), lines[0].done), ("refuse", true));
    }
    runtime.respond("d", b"{}").await;
    assert_eq!(platform.answer_to("d").await.body, b"{}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_acknowledgement_turns_the_answer_into_an_error() {
    let (platform, extension) = started(&[fault("lost", 1.0, r#"{"error":{"type":"Brownout.Lost","handler-runs":true}}"#)]).await;
    let mut runtime = extension.connect().await;
    for (id, body) in [("a", b"small".to_vec()), ("b", vec![b'x'; 3 << 20])] {
        platform.send(event(id, ROOT, LONG, b"{}"));
        runtime.next().await;
        let answer = runtime.respond(id, &body).await;
        assert_eq!(answer.status(), 202);
        let posted = platform.answer_to(id).await;
        assert!(posted.path().ends_with("/error"), "{}", posted.path());
        assert!(String::from_utf8(posted.body).unwrap().contains("Brownout.Lost"));
        assert_eq!(extension.eligible(id, 1).await[0].action.as_str(), "lose-answer");
    }
    // The handler's own error cannot be lost.
    platform.send(event("c", ROOT, LONG, b"{}"));
    runtime.next().await;
    runtime.ask(b"POST /2018-06-01/runtime/invocation/c/error HTTP/1.1\r\nContent-Length: 3\r\n\r\nown").await;
    assert_eq!(platform.answer_to("c").await.body, b"own");
    assert!(!extension.eligible("c", 1).await[0].done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_response_is_posted_instead_of_the_handlers() {
    let (platform, extension) = started(&[fault("other", 1.0, r#"{"response":{"status":503,"body":"busy"}}"#)]).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    let head = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(runtime.ask(head.as_bytes()).await.status(), 100);
    assert_eq!(runtime.ask(b"hello").await.status(), 202);
    let posted = platform.answer_to("a").await;
    assert!(posted.path().ends_with("/response"));
    let body = String::from_utf8(posted.body).unwrap();
    assert!(body.contains("503") && body.contains("busy"), "{body}");
    assert_eq!(extension.eligible("a", 1).await[0].action.as_str(), "replace");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_written_before_the_platform_sees_the_answer() {
    let (platform, extension) = started(&[fault("half", 0.5, r#"{"latency":{"time":"1ms"}}"#)]).await;
    let mut runtime = extension.connect().await;
    for n in 0..50 {
        let id = format!("i{n}");
        platform.send(event(&id, &format!("1-0-{n:024}"), LONG, b"{}"));
        runtime.next().await;
        runtime.respond(&id, b"{}").await;
    }
    let lines = extension.eligible("i49", 1).await;
    assert_eq!(lines.len(), 1);
    let eligible = extension.entries().into_iter().filter(|entry| matches!(entry, Entry::Decided(_))).count();
    assert_eq!(eligible, 50, "control and treatment alike, once each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_held_until_its_deadline_and_then_dropped() {
    let hold = fault("hold", 0.5, r#"{"timeout":{}}"#);
    let decided = faults::Plan::read(plan(1, 60_000, std::slice::from_ref(&hold)).as_bytes()).unwrap();
    let spared = |root: &String| {
        decided.decide("f", faults::Identity(root), &faults::Facts::default(), &mut faults::Memory::default())[0].arm == Arm::Control
    };
    let left_alone = (0..).map(|n| format!("1-5-{n}")).find(spared).unwrap();
    let (platform, extension) = started(&[hold]).await;
    let mut runtime = extension.connect().await;
    // Some of these roots are struck and some are not; the runtime sees only the latter.
    for n in 0..6 {
        platform.send(event(&format!("i{n}"), &format!("1-1-{n:024}"), Duration::from_millis(400), b"{}"));
    }
    platform.send(event("end", &left_alone, LONG, b"{}"));
    let mut seen = Vec::new();
    loop {
        let id = runtime.next().await.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
        runtime.respond(&id, b"{}").await;
        if id == "end" {
            break;
        }
        seen.push(id);
        if seen.len() == 6 {
            break;
        }
    }
    for n in 0..6 {
        let id = format!("i{n}");
        let line = extension.eligible(&id, 1).await.remove(0);
        assert_eq!(line.arm == Arm::Control, seen.contains(&id), "{line:?}");
        if line.arm == Arm::Treatment {
            assert_eq!((line.action.as_str(), line.done), ("hold-of-deadline", true), "{line:?}");
            assert!(line.waited_us < 400_000, "told before the deadline: {line:?}");
        }
    }
    assert!(seen.len() < 6, "none was struck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_deadline_is_held_and_then_handed_over() {
    let (platform, extension) = started(&[fault("hold", 1.0, r#"{"timeout":{"share-of-deadline":0.2}}"#)]).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, Duration::from_millis(1000), b"{}"));
    let began = Instant::now();
    runtime.next().await;
    assert!((150..700).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    runtime.respond("a", b"{}").await;
    assert!(extension.eligible("a", 1).await[0].done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_is_written_before_the_deadline_of_its_invocation() {
    let (platform, extension) = started(&[fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#)]).await;
    let mut runtime = extension.connect().await;
    let deadline = Instant::now() + Duration::from_millis(500);
    platform.send(event("a", ROOT, Duration::from_millis(500), b"{}"));
    runtime.next().await;
    let line = extension.eligible("a", 1).await.remove(0);
    assert!(Instant::now() < deadline + Duration::from_millis(20));
    assert!(!line.done, "the handler never answered: {line:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_strikes_the_same_roots_in_any_order() {
    let mut runs = Vec::new();
    for backward in [false, true] {
        let (platform, extension) = started(&[fault("some", 0.5, r#"{"latency":{"time":"1us"}}"#)]).await;
        let mut runtime = extension.connect().await;
        let mut order: Vec<_> = (0..40).collect();
        if backward {
            order.reverse();
        }
        let mut arms = BTreeMap::new();
        for n in order {
            let id = format!("i{n}");
            platform.send(event(&id, &format!("1-2-{n:024}"), LONG, b"{}"));
            runtime.next().await;
            runtime.respond(&id, b"{}").await;
            arms.insert(n, extension.eligible(&id, 1).await[0].arm);
        }
        assert!(arms.values().any(|arm| *arm == Arm::Control) && arms.values().any(|arm| *arm == Arm::Treatment));
        runs.push(arms);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strike_and_a_calm_take_effect_within_a_second() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, None).await;
    until("the missing plan is noted", || extension.notes().iter().any(|note| note.contains("cannot be read")).then_some(())).await;
    let mut runtime = extension.connect().await;
    let mut count = 0;
    for (sequence, faults, struck) in [
        (1, vec![fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#)], true),
        (2, vec![], false),
        (3, vec![fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#)], true),
    ] {
        extension.write_plan(&plan(sequence, 60_000, &faults));
        let began = Instant::now();
        loop {
            let id = format!("e{count}");
            platform.send(event(&id, ROOT, LONG, b"{}"));
            runtime.next().await;
            runtime.respond(&id, b"{}").await;
            count += 1;
            if platform.answer_to(&id).await.path().ends_with("/error") == struck {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(1), "no effect of plan {sequence} within a second");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_lease_passes_untouched_and_is_noted_once() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, None).await;
    extension.write_plan(&plan(1, 300, &[fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#)]));
    let over = |extension: &Extension| extension.notes().iter().filter(|note| note.contains("lease")).count();
    until("the lease is over", || (over(&extension) == 1).then_some(())).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    runtime.respond("a", b"mine").await;
    assert_eq!(platform.answer_to("a").await.body, b"mine");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(over(&extension), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_a_fifo_delays_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let platform = Platform::start().await;
    let began = Instant::now();
    let extension = Extension::start(&platform, Some(&format!("file:{}", fifo.display()))).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    runtime.respond("a", b"mine").await;
    assert_eq!(platform.answer_to("a").await.body, b"mine");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    until("it is noted", || extension.notes().iter().any(|note| note.contains("regular file")).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_held_when_the_runtime_disconnects_reaches_the_next_one() {
    let (platform, extension) = started(&[fault("before", 1.0, r#"{"latency":{"time":"300ms"}}"#)]).await;
    let mut first = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    first.write(crate::support::NEXT).await;
    until("the event is taken", || extension.entries().iter().any(|entry| matches!(entry, Entry::ColdStart { .. })).then_some(())).await;
    drop(first);
    let mut second = extension.connect().await;
    assert_eq!(second.next().await.header("Lambda-Runtime-Aws-Request-Id"), Some("a"));
    second.respond("a", b"{}").await;
    assert_eq!(extension.eligible("a", 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_came_while_everything_was_frozen_is_in_force_for_the_first_event() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, None).await;
    let mut runtime = extension.connect().await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(extension.child.id()).unwrap()).unwrap();
    let mut struck = false;
    // The event waits for at most 2 ms; on a busy machine that may be too short, but not every
    // time.
    for n in 1..=10 {
        let id = format!("e{n}");
        runtime.write(crate::support::NEXT).await;
        until("the platform is asked", || (platform.waiting.load(std::sync::atomic::Ordering::SeqCst) == 1).then_some(())).await;
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        tokio::time::sleep(Duration::from_millis(350)).await;
        extension.write_plan(&plan(n, 60_000, &[fault(&format!("slow-{n}"), 1.0, r#"{"latency":{"time":"1ms"}}"#)]));
        platform.send(event(&id, ROOT, LONG, b"{}"));
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        runtime.read().await.unwrap();
        runtime.respond(&id, b"{}").await;
        let named = format!("slow-{n}");
        struck = extension.entries().iter().flat_map(Entry::eligible).any(|line| line.request_id == id && line.fault == named);
        if struck {
            break;
        }
    }
    assert!(struck);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_settled_line_is_in_the_ledger_before_the_handler_runs() {
    let (platform, extension) = started(&[fault("before", 1.0, r#"{"latency":{"time":"1ms"}}"#)]).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    // The runtime dies; the invocation gets no answer.
    drop(runtime);
    assert!(extension.eligible("a", 1).await[0].done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_held_when_the_runtime_disconnects_still_reaches_the_platform() {
    let (platform, extension) = started(&[fault("after", 1.0, r#"{"latency":{"at":"after","time":"60s"}}"#)]).await;
    let mut runtime = extension.connect().await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    runtime.next().await;
    runtime.write(&crate::support::response("a", b"mine")).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(runtime);
    assert_eq!(platform.answer_to("a").await.body, b"mine");
    assert!(!extension.eligible("a", 1).await[0].done, "the wait was cut short");
}
