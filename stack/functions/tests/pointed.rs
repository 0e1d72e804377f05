//! At AWS a Rust function's package has its own `bootstrap`, so no script of the layer runs before it: each points itself at the extension.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const FUNCTIONS: [&str; 11] = [
    env!("CARGO_BIN_EXE_appointments"),
    env!("CARGO_BIN_EXE_archive-record"),
    env!("CARGO_BIN_EXE_authorizer"),
    env!("CARGO_BIN_EXE_close-record"),
    env!("CARGO_BIN_EXE_describe-record"),
    env!("CARGO_BIN_EXE_email-processor"),
    env!("CARGO_BIN_EXE_ingest-record"),
    env!("CARGO_BIN_EXE_prune-users"),
    env!("CARGO_BIN_EXE_record-sign-in"),
    env!("CARGO_BIN_EXE_thermostat-api"),
    env!("CARGO_BIN_EXE_users-api"),
];

/// The variables that a function without settings names as missing before it ends.
fn missing(function: &str, listen: &str, folder: &Path) -> Vec<String> {
    let mut command = Command::new(function);
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001").env("BROWNOUT_LISTEN", listen).env("TMPDIR", folder);
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{function} started without settings");
    let said = String::from_utf8(output.stderr).unwrap();
    said.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// A variable that the extension has for the runtime arrives only in a function that has called us, since only the extension's file has it.
#[test]
fn every_function_points_itself_at_the_extension() {
    let extension = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = extension.local_addr().unwrap().to_string();
    for function in FUNCTIONS {
        let folder = tempfile::tempdir().unwrap();
        let alone = missing(function, &listen, folder.path());
        let first = alone.first().unwrap_or_else(|| panic!("{function} needs no setting"));
        let ready = format!("{}\n{first}=1\n", std::process::id());
        std::fs::write(folder.path().join(format!("brownout-{listen}.ready")), ready).unwrap();
        assert!(!missing(function, &listen, folder.path()).contains(first), "{function} does not point itself at the extension");
    }
}
