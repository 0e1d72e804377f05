//! CloudWatch metrics next to the ledger, with the real binary: one for each line of the ledger,
//! and none unless they are enabled.

use std::process::Command;
use std::time::Duration;

use crate::support::{BINARY, Extension, Platform, event, fault, plan, until};
use faults::{Arm, Entry};
use serde_json::Value;

const EVENTS: usize = 40;

async fn lines_of(namespace: &str) -> Vec<String> {
    let platform = Platform::start().await;
    let mut command = Command::new(BINARY);
    command.env("BROWNOUT_EMF", namespace);
    let half = fault("half", 0.5, r#"{"latency":{"time":"1ms"}}"#);
    let mut extension = Extension::start_by(command, &platform, Some(&format!("json:{}", plan(1, 60_000, &[half])))).await;
    until("it waits for the end", || (platform.registrations.lock().unwrap().len() == 2).then_some(())).await;
    let mut runtime = extension.connect().await;
    for n in 0..EVENTS {
        let id = format!("id-{n}");
        platform.send(event(&id, &format!("1-4-{n:024}"), Duration::from_secs(300), b"{}"));
        runtime.next().await;
        runtime.respond(&id, b"{}").await;
    }
    platform.shut_down();
    extension.exit_code().await;
    until("the ledger ends", || extension.reader.is_finished().then_some(())).await;
    extension.lines()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_line_of_the_ledger_is_also_written_as_metrics() {
    let lines = lines_of("Brownout/Test").await;
    let mut pairs = 0;
    for two in lines.windows(2) {
        let Some(line) = Entry::from_line(&two[0]).and_then(|entry| entry.eligible().pop()) else { continue };
        pairs += 1;
        let metrics: Value = serde_json::from_str(&two[1]).unwrap();
        let directive = &metrics["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "Brownout/Test");
        assert_eq!(directive["Dimensions"], serde_json::json!([["Function"], ["Function", "Fault"]]));
        assert_eq!((&metrics["Function"], &metrics["Fault"], &metrics["run"]), (&"f".into(), &"half".into(), &"r".into()));
        assert_eq!(metrics["Struck"], u8::from(line.arm == Arm::Treatment), "{two:?}");
        assert_eq!(metrics["Waited"].as_u64().unwrap_or(0), line.waited_us, "{two:?}");
    }
    assert_eq!(pairs, EVENTS);
    assert_eq!(lines.iter().filter(|line| line.contains("\"_aws\"")).count(), EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalid_namespace_is_reported_and_there_are_no_metrics() {
    let lines = lines_of("AWS/Lambda").await;
    assert!(lines.iter().any(|line| line.contains("`BROWNOUT_EMF` is not a CloudWatch namespace")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("\"_aws\"")), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.contains("decided")).count(), EVENTS);
}
