//! The fetcher's process by itself. Its readings are tested with the extension, in
//! `extension/tests/extension/plan_sources`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Killed even if a test fails.
struct Fetcher(Child);

impl Drop for Fetcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(address: Option<&str>) -> Fetcher {
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout-plan-fetcher"));
    command.args(address).env_clear().env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    Fetcher(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn it_reports_missing_credentials_and_ends_with_its_standard_input() {
    let mut fetcher = start(Some("s3://bucket/key"));
    let mut line = String::new();
    BufReader::new(fetcher.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("unanswered the plan's service cannot be asked"), "{line}");
    drop(fetcher.0.stdin.take());
    assert!(fetcher.0.wait().unwrap().code().is_some(), "it ends by itself");
}

#[test]
fn an_invalid_address_is_refused() {
    for address in [None, Some("file:/plan"), Some("s3://bucket")] {
        assert_eq!(start(address).0.wait().unwrap().code(), Some(2), "{address:?}");
    }
}
