//! What the caller of a struck invocation sees, by trigger: the promises of docs/faults.md, checked
//! with the real extension.

use std::time::Duration;

use bytes::Bytes;
use faults::Trigger;
use faults::kinds::{KINDS, described};
use serde_json::{Value, json};
use stack::platform::Function;
use template::apis::{Api, ApiKind, Authorizer, Identity, Payload, Route};

use crate::platform::gateway::ask;
use crate::platform::runtimes::layer;
use crate::platform::support::{Up, function, struck};

/// One way of a kind, as an index into what the kind says the caller sees, and settings for that
/// way.
fn cases() -> Vec<(&'static str, usize, Value)> {
    vec![
        ("latency", 0, json!({ "time": "50ms" })),
        ("latency", 1, json!({ "time": "60s" })),
        ("error", 0, json!({})),
        ("error", 1, json!({ "handler-runs": true })),
        ("response", 0, json!({ "status": 503 })),
        ("response", 1, json!({ "raw": "{\"statusCode\":503}" })),
        ("response", 2, json!({ "cut-at": 10 })),
        ("response", 2, json!({ "corrupt": 3 })),
        ("response", 3, json!({ "drop": true })),
        ("stream", 0, json!({ "first-byte": "20ms", "bytes-per-second": 1_000_000 })),
        ("stream", 1, json!({ "cut-after": 10 })),
        ("again", 0, json!({})),
        ("event", 0, json!({ "set": { "/body": "not json" } })),
        ("timeout", 0, json!({})),
        ("kill", 0, json!({ "at": "before" })),
        ("kill", 0, json!({ "at": { "middle": "50ms" } })),
        ("kill", 0, json!({ "at": "after" })),
        ("init", 0, json!({ "slow": "100ms" })),
        ("init", 1, json!({ "failed": {} })),
        ("throttle", 0, json!({ "burst": 3 })),
        ("resource", 0, json!({ "memory-mib": 1, "time": "1s" })),
    ]
}

/// Ways that are tested elsewhere: a streamed answer in the runtimes' tests, a function's own calls
/// in the extension's.
const ELSEWHERE: [(&str, usize); 2] = [("stream", 2), ("dependency", 0)];

#[test]
fn every_way_of_every_kind_is_tested() {
    let cases = cases();
    for kind in KINDS {
        for way in 0..kind.seen.len() {
            let tried = cases.iter().any(|(name, at, _)| *name == kind.name && *at == way);
            assert_ne!(tried, ELSEWHERE.contains(&(kind.name, way)), "{}, way {way}", kind.name);
        }
    }
}

fn apis() -> Vec<Api> {
    let authorizer = Authorizer::Request {
        function: "authorizer".into(),
        identity: vec![Identity::Header("authorization".into())],
        cached: Duration::ZERO,
        payload: Payload::V1,
        simple: false,
    };
    let sealed = Route { authorizer: Some("asked".to_owned()), ..Route::to_function(None, "/sealed", "behind") };
    let routes = vec![Route::to_function(None, "/open", "web"), sealed];
    vec![Api {
        id: "abc123".into(),
        authorizers: [("asked".to_owned(), authorizer)].into(),
        routes,
        ..Api::new(ApiKind::Rest, "Api", "dev")
    }]
}

async fn started(kind: &str, settings: &Value) -> Up {
    // Within this time an environment starts and a handler answers, even on a busy machine; but
    // cases that run into it must not take long.
    let functions = ["f", "web", "authorizer", "behind"].map(|name| Function { timeout: Duration::from_secs(4), ..function(name) });
    let fault = |place: &str| json!({ "name": place, "place": { "function": place }, "share": 1, "kind": { kind: settings } });
    let faults = ["f", "web", "authorizer"].map(fault);
    let plan = json!({ "version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": faults });
    struck(functions.into(), apis(), layer(), &plan).await
}

/// The HTTP status at the beginning of a promise.
fn promised(text: &str) -> Option<u16> {
    text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok())
}

async fn is_as_promised(kind: &str, way: usize, settings: &Value) {
    let up = started(kind, settings).await;
    let says = |trigger: Trigger| described(kind).unwrap().seen[way].by[Trigger::ALL.iter().position(|one| *one == trigger).unwrap()];
    let told = format!("{kind} {settings}");

    // A fault in the middle of the work needs a long enough handler, even on a busy machine; no
    // test waits for the handler's end.
    let (ms, token) = if settings.pointer("/at/middle").is_some() { (3000, "slow") } else { (0, "let me in") };
    let event = Bytes::from(json!({ "do": "sleep", "ms": ms }).to_string());
    let http = ("GET", "/dev/open", vec![("X-Sleep", ms.to_string())], "");
    let sealed = ("GET", "/dev/sealed", vec![("Authorization", token.to_owned())], "");
    let (invoked, open, asked) = tokio::join!(up.platform.invoke("f", event, None), ask(&up, vec![http]), ask(&up, vec![sealed]));

    // A raw answer contains its status, if the kind lets one be set.
    let raw: Option<Value> = settings.get("raw").and_then(|raw| serde_json::from_str(raw.as_str()?).ok());
    if let Some(status) = raw.as_ref().and_then(|raw| raw["statusCode"].as_u64()) {
        assert_eq!(u64::from(open[0].status), status, "{told}");
    }

    let (invoked, text) = (invoked.unwrap(), says(Trigger::Invoke));
    let payload = String::from_utf8_lossy(&invoked.payload).into_owned();
    assert_eq!(invoked.failed, text.contains("X-Amz-Function-Error"), "{told}: {text}, and came {payload:.300}");
    assert!(!text.starts_with("untouched") || !payload.contains("statusCode\":503"), "{told}: {text}, and came {payload:.300}");
    for name in ["Task timed out", "Runtime.ExitError"] {
        assert!(!text.contains(name) || payload.contains(name), "{told}: {text}, and came {payload:.300}");
    }
    for (trigger, answer) in [(Trigger::Http, &open[0]), (Trigger::Authorizer, &asked[0])] {
        let text = says(trigger);
        let status = promised(text);
        assert!(status.is_none_or(|status| status == answer.status), "{told}, {}: {text}, and came {}", trigger.name(), answer.status);
        assert!(!text.starts_with("untouched") || answer.status == 200, "{told}, {}: {text}, and came {}", trigger.name(), answer.status);
        // Whatever happens to an authorizer, it must not admit a caller that it would refuse
        // without a fault.
        assert!(!text.contains("{\"message\":null}") || answer.text() == "{\"message\":null}", "{told}: {}", answer.text());
    }
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_caller_sees_is_what_the_page_of_faults_says() {
    for (kind, way, settings) in cases() {
        is_as_promised(kind, way, &settings).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_admits_a_caller_that_the_authorizer_denies() {
    for (kind, _, settings) in cases() {
        let up = started(kind, &settings).await;
        let refused = ("GET", "/dev/sealed", vec![("Authorization", "deny".to_owned())], "");
        let answers = ask(&up, vec![refused]).await;
        assert!(matches!(answers[0].status, 403 | 500), "{kind} {settings}: {} {}", answers[0].status, answers[0].text());
        up.down().await;
    }
}
