//! Who may lean on whom: read from cargo itself, so that no arrow points up and no outside crate strays from its home.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Our crates and those of ours each may lean on.
const ARROWS: [(&str, &[&str]); 24] = [
    ("aws", &["exports", "faults", "protocol", "reports"]),
    ("brownout-in-process", &[]),
    ("control-plane", &[]),
    ("dates", &[]),
    ("engine", &["exports", "faults", "protocol", "reports", "run-folder", "scenarios", "stack"]),
    ("exports", &["faults"]),
    ("faults", &[]),
    ("functions", &["brownout-in-process"]),
    ("thermostat-functions", &["functions"]),
    ("clinic-functions", &["functions"]),
    ("mail-functions", &["functions"]),
    ("inactive-users-functions", &["functions"]),
    ("users-api-functions", &["functions"]),
    ("audit-functions", &["functions"]),
    ("extension", &["faults", "timer"]),
    ("plan-fetcher", &["faults"]),
    ("protocol", &["exports", "faults"]),
    ("reports", &["dates", "faults"]),
    ("run-folder", &["faults"]),
    ("stack", &["dates", "faults", "run-folder", "states", "timer"]),
    ("states", &["faults"]),
    ("scenarios", &["dates", "faults", "reports", "run-folder", "timer"]),
    ("timer", &[]),
    ("brownout", &["dates", "engine", "exports", "faults", "protocol", "reports", "run-folder", "scenarios", "stack"]),
];

/// Outside crates that have a home. hyper is at home in `scenarios` too: the generator sends by it, which is what makes it honest and cheap.
/// rumqttc is at home in `stack` for its codec, on which the broker stands. The SDKs of SSM and S3 bring TLS, which the extension must not
/// carry: their home is the program that it starts where a plan stands behind TLS.
const HOMES: [(&str, &[&str]); 31] = [
    ("goose", &["scenarios"]),
    ("rumqttc", &["scenarios", "stack"]),
    ("hdrhistogram", &["reports"]),
    ("hyper", &["control-plane", "extension", "functions", "mail-functions", "scenarios", "stack"]),
    ("cedar-policy", &["scenarios", "stack"]),
    (
        "lambda_runtime",
        &[
            "functions",
            "thermostat-functions",
            "clinic-functions",
            "mail-functions",
            "inactive-users-functions",
            "users-api-functions",
            "audit-functions",
        ],
    ),
    (
        "aws-sdk-dynamodb",
        &[
            "thermostat-functions",
            "clinic-functions",
            "mail-functions",
            "inactive-users-functions",
            "users-api-functions",
            "audit-functions",
        ],
    ),
    ("aws-sdk-verifiedpermissions", &["thermostat-functions", "clinic-functions"]),
    ("aws-sdk-iotdataplane", &["thermostat-functions"]),
    ("aws-sdk-s3", &["audit-functions", "aws", "mail-functions", "plan-fetcher"]),
    ("aws-sdk-sesv2", &["mail-functions"]),
    ("aws-sdk-sns", &["mail-functions", "audit-functions"]),
    ("aws-sdk-sfn", &["audit-functions"]),
    ("redis", &["audit-functions"]),
    ("aws-sdk-cognitoidentityprovider", &["inactive-users-functions"]),
    ("mail-parser", &["mail-functions", "scenarios", "stack"]),
    ("mail-builder", &["mail-functions", "scenarios"]),
    ("lettre", &["scenarios"]),
    ("smtp-proto", &["stack"]),
    ("s3s", &["stack"]),
    ("quick-xml", &["stack"]),
    ("flate2", &["stack"]),
    ("aws-sdk-ssm", &["aws", "plan-fetcher"]),
    ("aws-sdk-fis", &["aws"]),
    ("aws-sdk-lambda", &["aws"]),
    ("aws-sdk-cloudwatchlogs", &["aws"]),
    ("time", &["dates"]),
    ("httpdate", &["aws", "extension", "plan-fetcher"]),
    ("clap", &["brownout"]),
    ("object", &["brownout"]),
    ("zip", &["brownout"]),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|d| d["kind"].is_null()).map(name).collect::<BTreeSet<_>>()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), normal(package))).collect()
}

#[test]
fn every_arrow_points_down() {
    let dependencies = dependencies();
    let ours: BTreeSet<_> = dependencies.keys().cloned().collect();
    let listed: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(ours, listed, "a crate of ours is missing from the list of arrows, or the other way round");
    for (name, allowed) in ARROWS {
        for leaned_on in dependencies[name].intersection(&ours) {
            assert!(allowed.contains(&leaned_on.as_str()), "`{name}` leans on `{leaned_on}`");
        }
    }
}

#[test]
fn every_outside_crate_stays_at_home() {
    let dependencies = dependencies();
    for (outside, homes) in HOMES {
        for (name, uses) in &dependencies {
            assert!(!uses.contains(outside) || homes.contains(&name.as_str()), "`{name}` uses `{outside}`, whose home is {homes:?}");
        }
    }
}

/// What calls an account is the program `brownout-aws`, so that the command, the engine and the local stack are built and started without it.
/// The emulator of DynamoDB brings `aws-config`, and that the SDKs by which credentials are looked for; nothing here does.
#[test]
fn no_sdk_of_aws_is_linked_but_by_what_calls_aws() {
    let of_credentials = ["aws-sdk-sso ", "aws-sdk-ssooidc ", "aws-sdk-sts "];
    for package in ["brownout", "engine", "exports", "protocol", "scenarios", "stack"] {
        let all = resolved(&["--package", package], "normal,build").into_keys();
        let sdks: Vec<_> =
            all.filter(|name| name.starts_with("aws-sdk-") && !of_credentials.iter().any(|known| name.starts_with(known))).collect();
        assert_eq!(sdks, Vec::<String>::new(), "`{package}`");
    }
}

/// Every crate of a build with the features that it is compiled with.
fn resolved(of: &[&str], edges: &str) -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .arg("tree")
        .args(of)
        .args(["--offline", "--prefix", "none", "-e", edges, "-f", "{p}\t{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    // A crate that stands there already is marked.
    let parts = lines.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('\t'));
    parts.map(|(name, features)| (name.to_owned(), features.to_owned())).collect()
}

/// `brownout run` builds the functions while tests run: were a feature asked for by tests alone, that would compile everything again and put
/// another command in the place of the one that is running.
#[test]
fn tests_ask_for_no_feature_that_a_build_without_them_lacks() {
    let (without, with) = (resolved(&["--workspace"], "normal,build"), resolved(&["--workspace"], "normal,build,dev"));
    for (name, features) in without {
        assert_eq!(with.get(&name), Some(&features), "`{name}`: ask for it in the workspace's own list of dependencies");
    }
}
