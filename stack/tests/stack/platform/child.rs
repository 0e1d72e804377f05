//! The child processes of the platform: a runtime that does as the event says, and a stand-in for
//! the extension. They are ignored tests; without the platform they do nothing.

use std::io::Write;
use std::process::exit;
use std::time::Duration;

use serde_json::{Value, json};

use crate::platform::wire::{Answer, Wire};

const RUNTIME: &str = "/2018-06-01/runtime";

#[test]
#[ignore = "the platform starts it as a runtime"]
fn runtime() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let mut wire = Wire::connect(&api).unwrap();
    match std::env::var("CHILD_INIT").as_deref() {
        Ok("exit") => exit(7),
        Ok("error") => {
            let why = json!({ "errorType": "Own.Init", "errorMessage": "no key" });
            wire.call("POST", &format!("{RUNTIME}/init/error"), &[], why.to_string().as_bytes()).unwrap();
            exit(1);
        }
        Ok(ms) => std::thread::sleep(Duration::from_millis(ms.parse().unwrap())),
        Err(_) => {}
    }
    for count in 1.. {
        let Ok(next) = wire.call("GET", &format!("{RUNTIME}/invocation/next"), &[], b"") else { exit(0) };
        assert_eq!(next.status, 200, "{}", next.text());
        let event: Value = serde_json::from_slice(&next.body).unwrap();
        let id = next.headers["lambda-runtime-aws-request-id"].clone();
        if let Some(stream) = header(&event, "x-stream") {
            wire.stream(&format!("{RUNTIME}/invocation/{id}/response"), &stream).unwrap();
            continue;
        }
        let (what, payload) = match std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap().as_str() {
            "authorizer" => authorize(&event),
            "web" | "behind" => web(&event, count),
            "batch" => batch(&event),
            _ => work(&event, count, &next, &mut wire, &id),
        };
        wire.call("POST", &format!("{RUNTIME}/invocation/{id}/{what}"), &[], payload.as_bytes()).unwrap();
    }
}

type Outcome = (&'static str, String);

fn work(event: &Value, count: u32, next: &Answer, wire: &mut Wire, id: &str) -> Outcome {
    let number = |name: &str| event[name].as_u64().unwrap_or_default();
    match event["do"].as_str().unwrap_or_default() {
        "sleep" => std::thread::sleep(Duration::from_millis(number("ms"))),
        "exit" => exit(i32::try_from(number("code")).unwrap()),
        "error" => return ("error", json!({ "errorType": "Own.Error", "errorMessage": "as asked" }).to_string()),
        "large" => return ("response", format!("\"{}\"", "x".repeat(usize::try_from(number("size")).unwrap() - 2))),
        "wrong-id" => {
            let answer = wire.call("POST", &format!("{RUNTIME}/invocation/other/response"), &[], b"{}").unwrap();
            let again = wire.call("GET", &format!("{RUNTIME}/invocation/next"), &[], b"").unwrap();
            let unknown = wire.call("GET", "/2018-06-01/other", &[], b"").unwrap();
            return ("response", json!([answer.status, answer.json()["errorType"], again.status, unknown.status]).to_string());
        }
        "later" => {
            let path = event["file"].as_str().unwrap().to_owned();
            std::thread::spawn(move || {
                loop {
                    let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
                    file.write_all(b".").unwrap();
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        "print" => println!("{}", event["text"].as_str().unwrap()),
        "shell" => {
            let output = std::process::Command::new("/bin/sh").args(["-c", event["script"].as_str().unwrap()]).output().unwrap();
            return ("response", json!(String::from_utf8_lossy(&output.stdout)).to_string());
        }
        "child" => drop(std::process::Command::new("sleep").arg("600").spawn().unwrap()),
        _ => {}
    }
    let _ = id;
    let variables: std::collections::BTreeMap<String, String> = std::env::vars().collect();
    ("response", json!({ "pid": std::process::id(), "count": count, "headers": next.headers, "variables": variables }).to_string())
}

/// A batch of messages, each of which says what happens to it.
fn batch(event: &Value) -> Outcome {
    let mut failures = Vec::new();
    for record in event["Records"].as_array().unwrap() {
        let body: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        match body["do"].as_str().unwrap_or_default() {
            "error" => return ("error", json!({ "errorMessage": "as asked" }).to_string()),
            "exit" => exit(1),
            "sleep" => std::thread::sleep(Duration::from_millis(body["ms"].as_u64().unwrap())),
            "fail" => failures.push(json!({ "itemIdentifier": record["messageId"] })),
            _ => {}
        }
    }
    ("response", json!({ "batchItemFailures": failures }).to_string())
}

fn authorize(event: &Value) -> Outcome {
    let arn = event["methodArn"].as_str().or(event["routeArn"].as_str()).unwrap();
    let token = header(event, "authorization").or(event["authorizationToken"].as_str().map(str::to_owned)).unwrap_or_default();
    let token = token.as_str();
    let policy = |effect: &str, resource: &str| {
        let statement = json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource });
        json!({ "principalId": token, "policyDocument": { "Statement": statement }, "context": { "pid": std::process::id(), "seen": event.to_string() } })
    };
    let result = match token {
        "error" => return ("error", json!({ "errorMessage": "no key" }).to_string()),
        "unauthorized" => return ("error", json!({ "errorMessage": "Unauthorized" }).to_string()),
        "junk" => json!({ "statusCode": 500 }),
        "yes" | "no" => json!({ "isAuthorized": token == "yes", "context": { "list": [1], "seen": event } }),
        "exit" => exit(1),
        "deny" => policy("Deny", arn),
        "slow" => {
            std::thread::sleep(Duration::from_millis(3000));
            policy("Allow", arn)
        }
        // Different at every call, so that a cached policy can be told from a new one.
        "once" => policy("allow", &format!("*/{}*", &event["path"].as_str().unwrap()[1..2])),
        _ => policy("Allow", arn),
    };
    ("response", result.to_string())
}

/// A header, however its name is written.
fn header(event: &Value, name: &str) -> Option<String> {
    let (_, value) = event["headers"].as_object()?.iter().find(|(written, _)| written.eq_ignore_ascii_case(name))?;
    value.as_str().map(str::to_owned)
}

fn web(event: &Value, count: u32) -> Outcome {
    let header = |name: &str| header(event, name);
    if let Some(ms) = header("x-sleep") {
        std::thread::sleep(Duration::from_millis(ms.parse().unwrap()));
    }
    if header("x-fail").is_some() {
        return ("error", json!({ "errorMessage": "as asked" }).to_string());
    }
    if let Some(size) = header("x-size") {
        let around = json!({ "statusCode": 200, "body": "" }).to_string().len();
        let body = "x".repeat(size.parse::<usize>().unwrap() - around);
        return ("response", json!({ "statusCode": 200, "body": body }).to_string());
    }
    let plain = || json!({ "statusCode": 200, "body": json!({ "count": count, "event": event }).to_string() }).to_string();
    ("response", header("x-result").unwrap_or_else(plain))
}

#[test]
#[ignore = "the platform starts it as the extension"]
fn extension() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    if std::env::var("CHILD_EXTENSION").is_ok() {
        std::thread::sleep(Duration::from_secs(600));
    }
    let mut wire = Wire::connect(&api).unwrap();
    let register = |wire: &mut Wire, events: &str| {
        wire.call("POST", "/2020-01-01/extension/register", &[("Lambda-Extension-Name", "stand-in")], events.as_bytes()).unwrap()
    };
    let registered = register(&mut wire, r#"{"events":["INVOKE","SHUTDOWN"]}"#);
    assert_eq!(registered.status, 200, "{}", registered.text());
    let id = registered.headers["lambda-extension-identifier"].clone();
    loop {
        let event = wire.call("GET", "/2020-01-01/extension/event/next", &[("Lambda-Extension-Identifier", &id)], b"").unwrap();
        // The test harness may have begun a line.
        println!();
        let what = format!("{} {}", event.json()["eventType"].as_str().unwrap(), registered.json()["functionName"].as_str().unwrap());
        print!("{}", faults::Entry::Note { place: "stand-in".into(), what }.to_line());
        std::io::stdout().flush().unwrap();
        if event.json()["eventType"] == "SHUTDOWN" {
            exit(0);
        }
    }
}

#[test]
#[ignore = "a test starts it as the guard"]
fn guard() {
    if let Ok(marker) = std::env::var("CHILD_GUARD") {
        stack::guard::guard(&marker).unwrap();
    }
}
