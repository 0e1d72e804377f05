//! The binaries themselves, with a Runtime API on loopback.

use crate::cloud::{Cloud, Reply, sound};
use crate::pool::Signer;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};

const ROOTS: [&str; 2] = ["Root=1-66f00000-000000000000000000000001;Sampled=0", "Root=1-66f00000-000000000000000000000002;Sampled=0"];

/// A program of another crate; that crate's own tests make sure that it is built.
pub fn program(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join(name)
}

pub fn start(binary: &Path, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(binary);
    command.env_clear().envs(variables.iter().copied()).kill_on_drop(true);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[tokio::test]
async fn the_trace_of_an_invocation_reaches_every_sdk_call() {
    let signer = Signer::new("a");
    let cloud = Cloud::start(sound(signer.document())).await;
    let (services, address) = (sound(signer.document()), cloud.address.clone());
    let handed_out = AtomicUsize::new(0);
    cloud.behave(move |call| match call.operation.as_str() {
        "next" => {
            let turn = handed_out.fetch_add(1, Ordering::SeqCst);
            let Some(root) = ROOTS.get(turn) else { return Reply::Hang };
            let event = json!({
                "httpMethod": "POST", "resource": "/control/{deviceId}", "pathParameters": {"deviceId": "Thermostat1"},
                "headers": {"Authorization": format!("Bearer {}", signer.access(&address, "john_doe"))},
                "body": json!({"action": "SetTemperature", "temperature": 70 + turn}).to_string(),
            });
            let headers = vec![
                ("Lambda-Runtime-Aws-Request-Id", format!("request-{turn}")),
                ("Lambda-Runtime-Deadline-Ms", "4000000000000".to_owned()),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:thermostat-api".to_owned()),
                ("Lambda-Runtime-Trace-Id", (*root).to_owned()),
            ];
            Reply::With(headers, event)
        }
        "response" => Reply::Json(202, json!({})),
        _ => services(call),
    });
    let host = cloud.address.trim_start_matches("http://").to_owned();
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", host.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "thermostat-api"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", cloud.address.as_str()),
        ("TABLE_NAME", "UserMappingTable"),
        ("POLICY_STORE_ID", "ps-thermostat"),
        ("ISSUER", cloud.address.as_str()),
        ("CLIENT_ID", "client"),
        ("WEAKNESSES", ""),
    ];
    let _function = start(&program("thermostat-api"), &variables);
    let answered = async {
        while cloud.calls("response").len() < ROOTS.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.expect("both events are answered");
    assert!(cloud.calls("response").iter().all(|call| call.body["statusCode"] == 200), "{:?}", cloud.calls("response"));
    for operation in ["GetItem", "IsAuthorized", "UpdateThingShadow"] {
        let traces: Vec<_> = cloud.calls(operation).into_iter().filter_map(|call| call.trace).collect();
        assert_eq!(traces, ROOTS, "{operation}");
    }
}
