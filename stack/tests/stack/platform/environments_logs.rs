//! What Lambda writes to a function's log about its invocations, and what a caller gets of it.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};
use stack::platform::Function;
use template::blueprint::LogFormat;

use crate::platform::support::{Up, function, until, up};
use crate::platform::wire::{Answer, Wire};

/// An invocation with headers.
async fn call(up: &Up, path: &'static str, headers: &'static [(&'static str, &'static str)], body: &'static str) -> Answer {
    let address = up.platform.lambda.to_string();
    let call = move || {
        let path = format!("/2015-03-31/functions/{path}");
        Wire::connect(&address).unwrap().call("POST", &path, headers, body.as_bytes()).unwrap()
    };
    tokio::task::spawn_blocking(call).await.unwrap()
}

fn tail(answer: &Answer) -> String {
    let encoded = answer.headers.get("x-amz-log-result").unwrap_or_else(|| panic!("no log: {:?}", answer.headers));
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).unwrap()).unwrap()
}

const TAIL: &[(&str, &str)] = &[("X-Amz-Log-Type", "Tail")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_gets_the_lines_of_its_invocation() {
    let up = up(vec![Function { concurrency: 1, ..function("f") }], Vec::new(), false).await;
    let first = tail(&call(&up, "f/invocations", TAIL, r#"{"do":"print","text":"first line"}"#).await);
    let lines: Vec<_> = first.lines().collect();
    let id = lines.iter().find_map(|line| line.strip_prefix("START RequestId: ")).unwrap().strip_suffix(" Version: $LATEST").unwrap();
    let position = |begin: &str| lines.iter().position(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no {begin}: {first}"));
    let order = ["START ", "first line", &format!("END RequestId: {id}"), &format!("REPORT RequestId: {id}\tDuration: ")].map(position);
    assert!(order.is_sorted(), "{first}");
    assert!(first.contains("\tMemory Size: 128 MB\tMax Memory Used: ") && first.contains("\tInit Duration: "), "{first}");
    let second = tail(&call(&up, "f/invocations", TAIL, r#"{"do":"print","text":"second line"}"#).await);
    assert!(second.starts_with("START ") && second.contains("second line") && !second.contains("first line"), "{second}");
    assert!(!second.contains("Init Duration"), "{second}");
    let without = call(&up, "f/invocations", &[], "{}").await;
    assert_eq!(without.headers.get("x-amz-log-result"), None);
    let long = tail(&call(&up, "f/invocations", TAIL, r#"{"do":"shell","script":"true"}"#).await);
    assert!(long.len() <= 4096, "{}", long.len());
    assert_eq!(call(&up, "f/invocations", &[("X-Amz-Log-Type", "All")], "{}").await.status, 400);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_says_how_an_environment_failed() {
    let f = Function { timeout: Duration::from_millis(800), ..function("f") };
    let starts = Function { variables: [("CHILD_INIT".to_owned(), "exit".to_owned())].into(), ..function("starts") };
    let up = up(vec![f, starts], Vec::new(), false).await;
    let exit = tail(&call(&up, "f/invocations", TAIL, r#"{"do":"exit","code":3}"#).await);
    assert!(exit.contains(" Error: Runtime exited with error: exit status 3\nRuntime.ExitError\nEND "), "{exit}");
    assert!(exit.trim_end().ends_with("Status: error\tError Type: Runtime.ExitError"), "{exit}");
    let late = tail(&call(&up, "f/invocations", TAIL, r#"{"do":"sleep","ms":60000}"#).await);
    assert!(late.contains(" Task timed out after 0.80 seconds\n\nEND ") && late.trim_end().ends_with("Status: timeout"), "{late}");
    let start = tail(&call(&up, "starts/invocations", TAIL, "{}").await);
    assert!(start.contains("exit status 7\nRuntime.ExitError\nEND "), "{start}");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_with_json_logs_has_the_platforms_lines_as_json() {
    let f = Function { log_format: LogFormat::Json, ..function("f") };
    let up = up(vec![f], Vec::new(), false).await;
    let text = tail(&call(&up, "f/invocations", TAIL, "{}").await);
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["platform.start", "platform.report"], "{text}");
    assert_eq!(lines[1]["record"]["status"], "success");
    assert_eq!(up.invoke("f", json!({})).await.1["variables"]["AWS_LAMBDA_LOG_FORMAT"], "JSON");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alias_leads_to_the_one_version_and_an_unknown_one_to_nothing() {
    let f = Function { aliases: vec!["live".into()], ..function("f") };
    let up = up(vec![f, function("plain")], Vec::new(), false).await;
    let cases = [
        ("f/invocations", 200, "$LATEST", "function:f"),
        ("f:live/invocations", 200, "1", "function:f:live"),
        ("f/invocations?Qualifier=live", 200, "1", "function:f:live"),
        ("arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af%3A1/invocations", 200, "1", "function:f:1"),
        ("f/invocations?Qualifier=%24LATEST", 200, "$LATEST", "function:f:$LATEST"),
        ("f:other/invocations", 404, "", "function:f:other"),
        ("plain:1/invocations", 404, "", "function:plain:1"),
        ("f:live/invocations?Qualifier=other", 400, "", ""),
    ];
    for (path, status, version, arn) in cases {
        let answer = call(&up, path, &[], "{}").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        if status == 200 {
            assert_eq!(answer.headers["x-amz-executed-version"], version, "{path}");
            let seen = answer.json()["headers"]["lambda-runtime-invoked-function-arn"].as_str().unwrap().to_owned();
            assert!(seen.ends_with(arn), "{path}: {seen}");
            assert_eq!(answer.json()["variables"]["AWS_LAMBDA_FUNCTION_VERSION"], "1", "{path}");
        } else if status == 404 {
            assert_eq!(answer.headers["x-amzn-errortype"], "ResourceNotFoundException");
            let message = answer.json()["Message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("Function not found: arn:aws:lambda:") && message.ends_with(arn), "{message}");
        }
    }
    let through = up.platform.invoke("arn:aws:lambda:eu-west-1:123456789012:function:f:live", "{}".into(), None).await.unwrap();
    assert!(String::from_utf8_lossy(&through.payload).contains("function:f:live"));
    assert!(up.platform.invoke("f:other", "{}".into(), None).await.is_err());
    until("all of them", || up.platform.health().invocations == 6).await;
    up.down().await;
}
