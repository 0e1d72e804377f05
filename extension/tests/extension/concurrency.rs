//! Many invocations in one environment at once: each is struck exactly as the plan says, and no
//! wait affects another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::support::{Extension, Platform, event, fault, plan, until};
use faults::{Arm, Facts, Identity, Memory, Plan};

const POLLERS: usize = 16;
const EVENTS: usize = POLLERS * 1000;
/// As long as Lambda allows, so that no deadline is reached on a busy machine.
const LONG: Duration = Duration::from_secs(900);

fn root(n: usize) -> String {
    format!("1-7-{n:024}")
}

/// The arms of the three faults for the invocation with this root.
fn arms(plan: &Plan, root: &str) -> [bool; 3] {
    let decided = plan.decide("f", Identity(root), &Facts::default(), &mut Memory::default());
    assert_eq!(decided.len(), 3);
    [0, 1, 2].map(|at| decided[at].arm == Arm::Treatment)
}

/// The smallest and the largest number of hits among `n` that each come with probability `p`,
/// leaving less than 5e-7 on either side. Computed from the exact terms of the binomial
/// distribution, each from the previous one.
fn band(n: usize, p: f64) -> (usize, usize) {
    let (mut term, mut below) = ((n as f64) * (1.0 - p).ln(), 0.0);
    let (mut low, mut high) = (None, n);
    for k in 0..=n {
        below += term.exp();
        if low.is_none() && below >= 5e-7 {
            low = Some(k);
        }
        if below >= 1.0 - 5e-7 {
            high = k;
            break;
        }
        term += (((n - k) as f64) / ((k + 1) as f64)).ln() + (p / (1.0 - p)).ln();
    }
    (low.unwrap(), high)
}

#[test]
fn the_band_is_that_of_the_binomial_distribution() {
    // 10 coin tosses: each extreme has 1/1024, so nothing may be left out.
    assert_eq!(band(10, 0.5), (0, 10));
    // Normal approximation at 4.89 standard deviations: 4800 -+ 283.
    let (low, high) = band(16_000, 0.3);
    assert!((4510..4525).contains(&low) && (5075..5095).contains(&high), "{low} to {high}");
}

/// Handles events, answering each with its own id, until the end; returns the ids that it has seen.
async fn poll(mut runtime: crate::support::Runtime) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let got = runtime.next().await;
        let id = got.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
        assert_eq!(got.body, format!("event of {id}").as_bytes());
        assert_eq!(runtime.respond(&id, format!("answer of {id}").as_bytes()).await.status(), 202);
        if id.starts_with("end") {
            return seen;
        }
        seen.push(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_pollers_are_struck_exactly_as_the_plan_says() {
    let shares = [0.3, 0.1, 0.2];
    let text = plan(
        1,
        60_000,
        &[
            fault("slow", shares[0], r#"{"latency":{"time":"1ms"}}"#),
            fault("refuse", shares[1], r#"{"error":{"type":"Brownout.Refused"}}"#),
            fault("lose", shares[2], r#"{"error":{"type":"Brownout.Lost","handler-runs":true}}"#),
        ],
    );
    let decided = Plan::read(text.as_bytes()).unwrap();
    let expected: Vec<_> = (0..EVENTS).map(|n| arms(&decided, &root(n))).collect();
    for (at, share) in shares.into_iter().enumerate() {
        let (struck, (low, high)) = (expected.iter().filter(|arms| arms[at]).count(), band(EVENTS, share));
        assert!((low..=high).contains(&struck), "{struck} of {EVENTS} at {share}, expected {low} to {high}");
    }
    let left_alone = (EVENTS..).map(root).filter(|root| arms(&decided, root) == [false; 3]);

    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{text}"))).await;
    let mut pollers = Vec::new();
    for _ in 0..POLLERS {
        pollers.push(tokio::spawn(poll(extension.connect().await)));
    }
    for (id, root) in (0..EVENTS)
        .map(|n| (format!("id-{n}"), root(n)))
        .chain(left_alone.take(POLLERS).enumerate().map(|(n, root)| (format!("end-{n}"), root)))
    {
        platform.send(event(&id, &root, LONG, format!("event of {id}").as_bytes()));
    }
    let mut seen = HashSet::new();
    for poller in pollers {
        for id in poller.await.unwrap() {
            assert!(seen.insert(id.clone()), "{id} came twice");
        }
    }
    platform_got(&platform, &expected, &seen);
    ledger_says(&extension, &expected).await;
}

/// Checks what the platform got: each invocation once, with its own id, and the result that the
/// plan says.
fn platform_got(platform: &Platform, expected: &[[bool; 3]], seen: &HashSet<String>) {
    let answers = platform.all_received();
    assert_eq!(answers.len(), EVENTS + POLLERS);
    let answers: HashMap<_, _> = answers.iter().map(|message| (message.path().to_owned(), message)).collect();
    assert_eq!(answers.len(), EVENTS + POLLERS, "an invocation was answered twice");
    for (n, [_, refused, lost]) in expected.iter().copied().enumerate() {
        let id = format!("id-{n}");
        assert_eq!(seen.contains(&id), !refused, "{id}");
        let posted = |what| answers.get(&format!("/2018-06-01/runtime/invocation/{id}/{what}"));
        if refused || lost {
            let error_type = if refused { "Brownout.Refused" } else { "Brownout.Lost" };
            assert_eq!(posted("error").expect(&id).header("Lambda-Runtime-Function-Error-Type"), Some(error_type), "{id}");
        } else {
            assert_eq!(posted("response").expect(&id).body, format!("answer of {id}").as_bytes());
        }
    }
}

/// Checks the ledger: exactly one line for each invocation, with all three faults.
async fn ledger_says(extension: &Extension, expected: &[[bool; 3]]) {
    let lines = until("the ledger is complete", || (extension.line_count() > EVENTS + POLLERS).then(|| extension.entries())).await;
    let mut book: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for entry in lines {
        for line in entry.eligible() {
            book.entry(line.request_id.clone()).or_default().push(line);
        }
    }
    assert_eq!(book.len(), EVENTS + POLLERS);
    for (n, struck) in expected.iter().enumerate() {
        let lines = &book[&format!("id-{n}")];
        assert_eq!(lines.len(), 3, "id-{n}");
        // The faults in the control arm come last, so each is found by its name.
        let of = |name: &str| lines.iter().find(|line| line.fault == name).expect(name);
        for (line, struck) in ["slow", "refuse", "lose"].map(of).into_iter().zip(*struck) {
            assert_eq!((line.arm == Arm::Treatment, line.root.as_deref()), (struck, Some(root(n).as_str())), "{line:?}");
            let overtaken = line.fault == "lose" && struck && of("refuse").arm == Arm::Treatment;
            assert_eq!(line.done, !overtaken, "an event that is refused has no answer to lose: {line:?}");
            assert_eq!(line.waited_us >= 1000, line.action.as_str() == "wait-before", "{line:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_waits_at_once_do_not_disturb_one_another() {
    let times = 5..105_u64;
    let faults: Vec<_> = times
        .clone()
        .map(|ms| {
            let kind = format!(r#"{{"latency":{{"time":"{ms}ms"}}}}"#);
            format!(r#"{{"name":"wait-{ms}","place":{{"function":"f"}},"share":1,"when":{{"path":"/{ms}"}},"kind":{kind}}}"#)
        })
        .collect();
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, Some(&format!("json:{}", plan(1, 60_000, &faults)))).await;
    let mut runtimes = Vec::new();
    for _ in times.clone() {
        let mut runtime = extension.connect().await;
        runtimes.push(tokio::spawn(async move {
            let got = runtime.next().await;
            let id = got.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
            (id.clone(), Instant::now(), runtime.respond(&id, b"{}").await.status())
        }));
    }
    until("all of them ask", || (platform.waiting.load(std::sync::atomic::Ordering::SeqCst) == 100).then_some(())).await;
    let began = Instant::now();
    for ms in times.clone() {
        platform.send(event(&ms.to_string(), &root(0), LONG, format!(r#"{{"httpMethod":"GET","path":"/{ms}"}}"#).as_bytes()));
    }
    for runtime in runtimes {
        let (id, at, status) = runtime.await.unwrap();
        let waited = at.duration_since(began);
        assert!(waited >= Duration::from_millis(id.parse().unwrap()), "{id} ms: {waited:?}");
        assert_eq!(status, 202, "{id} ms");
    }
    // One after another they would take 5.45 s.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    for ms in times {
        let lines = extension.eligible(&ms.to_string(), 1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!((lines[0].fault.as_str(), lines[0].done), (format!("wait-{ms}").as_str(), true));
        assert!(lines[0].waited_us >= ms * 1000, "{:?}", lines[0]);
    }
}
