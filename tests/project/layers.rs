//! Which crate may depend on which, read from cargo itself: no arrow may point up, and no outside
//! crate may be used outside its home.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Each system has a crate of functions with this suffix, which depends only on `functions`.
const FUNCTIONS: &str = "-functions";

/// The workspace's crates, and the workspace crates that each may depend on, except the functions
/// of the systems.
const ARROWS: [(&str, &[&str]); 22] = [
    ("aws", &["exports", "faults", "protocol", "reports", "run-folder"]),
    ("brownout-in-process", &[]),
    (
        "bundle",
        &[
            "audit-functions",
            "clinic-functions",
            "functions",
            "inactive-users-functions",
            "mail-functions",
            "thermostat-functions",
            "users-api-functions",
        ],
    ),
    ("control-plane", &[]),
    ("dates", &[]),
    ("engine", &["exports", "faults", "load", "protocol", "reports", "run-folder", "scenarios", "stack", "template"]),
    ("exports", &["faults"]),
    ("faults", &[]),
    ("functions", &["brownout-in-process"]),
    ("extension", &["faults", "timer"]),
    ("plan-fetcher", &["faults"]),
    ("load", &["reports", "run-folder", "timer"]),
    ("namespace", &[]),
    ("protocol", &["exports", "faults", "run-folder"]),
    ("reports", &["dates", "faults"]),
    ("run-folder", &["faults"]),
    ("stack", &["dates", "faults", "run-folder", "states", "template", "timer"]),
    ("states", &["dates", "faults"]),
    ("template", &["faults", "run-folder", "states"]),
    ("scenarios", &["dates", "faults", "load", "reports", "run-folder"]),
    ("timer", &[]),
    ("brownout", &["dates", "engine", "exports", "faults", "load", "protocol", "reports", "run-folder", "scenarios", "stack", "template"]),
];

/// Outside crates that may be used only in their home. hyper is also used in `load`: the
/// generator sends with it, which makes it accurate and cheap. rumqttc is used in `stack` for its
/// codec, which the broker is built on. The SDKs of SSM and S3 contain TLS, which the extension
/// must not contain: their home is the program that it starts to read a plan over TLS.
const HOMES: [(&str, &[&str]); 36] = [
    ("goose", &["load"]),
    ("rumqttc", &["load", "scenarios", "stack"]),
    ("rcgen", &["stack"]),
    ("csv", &["engine"]),
    ("hdrhistogram", &["reports"]),
    ("hyper", &["brownout", "control-plane", "extension", "functions", "load", "mail-functions", "scenarios", "stack"]),
    ("cedar-policy", &["scenarios", "stack"]),
    ("lambda_runtime", &["functions", FUNCTIONS]),
    ("aws-sdk-dynamodb", &[FUNCTIONS]),
    ("aws-sdk-verifiedpermissions", &["aws", "thermostat-functions", "clinic-functions"]),
    ("aws-sdk-iotdataplane", &["thermostat-functions"]),
    ("aws-sdk-s3", &["audit-functions", "aws", "mail-functions", "plan-fetcher"]),
    ("aws-sdk-sesv2", &["mail-functions"]),
    ("aws-sdk-sns", &["mail-functions", "audit-functions"]),
    ("aws-sdk-sfn", &["audit-functions"]),
    ("redis", &["audit-functions"]),
    ("aws-sdk-cloudformation", &["aws"]),
    ("aws-sdk-cognitoidentityprovider", &["aws", "inactive-users-functions"]),
    ("mail-parser", &["mail-functions", "scenarios", "stack"]),
    ("mail-builder", &["mail-functions", "scenarios"]),
    ("lettre", &["scenarios"]),
    ("smtp-proto", &["stack"]),
    ("s3s", &["stack"]),
    ("quick-xml", &["stack"]),
    ("flate2", &["load", "stack"]),
    ("aws-sdk-ssm", &["aws", "plan-fetcher"]),
    ("aws-sdk-fis", &["aws"]),
    ("aws-sdk-lambda", &["aws"]),
    ("aws-runtime", &["aws"]),
    ("aws-sdk-cloudwatchlogs", &["aws"]),
    ("aws-smithy-runtime", &["aws"]),
    ("time", &["dates"]),
    ("httpdate", &["aws", "extension", "plan-fetcher"]),
    ("clap", &["brownout"]),
    ("object", &["brownout"]),
    ("zip", &["brownout", "stack"]),
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
    let (functions, others): (BTreeSet<_>, BTreeSet<_>) = ours.iter().cloned().partition(|name| name.ends_with(FUNCTIONS));
    for name in functions {
        let leaned_on: Vec<_> = dependencies[&name].intersection(&ours).collect();
        assert_eq!(leaned_on, ["functions"], "`{name}`");
    }
    let listed: BTreeSet<_> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(others, listed, "ARROWS and the workspace's crates differ");
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
            let is_home = homes.iter().any(|home| home == name || (*home == FUNCTIONS && name.ends_with(FUNCTIONS)));
            assert!(!uses.contains(outside) || is_home, "`{name}` uses `{outside}`, whose home is {homes:?}");
        }
    }
}

/// Only the program `brownout-aws` calls an account, so the command, the engine and the local stack
/// are built and started without it. The DynamoDB emulator depends on `aws-config`, which contains
/// the SDKs that look for credentials; this workspace does not use them.
#[test]
fn only_the_program_that_calls_aws_links_an_sdk_of_aws() {
    let of_credentials = ["aws-sdk-sso ", "aws-sdk-ssooidc ", "aws-sdk-sts "];
    for package in ["brownout", "engine", "exports", "load", "protocol", "scenarios", "stack"] {
        let all = resolved(&["--package", package], "normal,build").into_keys();
        let sdks: Vec<_> =
            all.filter(|name| name.starts_with("aws-sdk-") && !of_credentials.iter().any(|known| name.starts_with(known))).collect();
        assert_eq!(sdks, Vec::<String>::new(), "`{package}`");
    }
}

/// What sends requests knows neither what answers them nor what calls an answer right, and is built without either.
#[test]
fn the_load_is_built_without_what_is_under_test() {
    let strangers = ["aws-sdk-", "cedar-policy", "s3s ", "scenarios ", "stack ", "winterbaume-"];
    let all = resolved(&["--package", "load"], "normal,build").into_keys();
    let found: Vec<_> = all.filter(|name| strangers.iter().any(|stranger| name.starts_with(stranger))).collect();
    assert_eq!(found, Vec::<String>::new());
}

/// Every crate of a build, with its enabled features; a crate that build scripts use too may have
/// others there.
fn resolved(of: &[&str], edges: &str) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .arg("tree")
        .args(of)
        .args(["--offline", "--prefix", "none", "-e", edges, "-f", "{p}\t{f}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    // cargo marks a crate that it has already printed.
    let parts = lines.lines().filter_map(|line| line.trim_end_matches(" (*)").split_once('\t'));
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, features) in parts {
        all.entry(name.to_owned()).or_default().insert(features.to_owned());
    }
    all
}

/// `brownout run` builds the functions while tests run. If only the tests enabled some feature,
/// that would compile everything again and replace the command that is running.
#[test]
fn tests_enable_no_feature_that_a_build_without_them_lacks() {
    let (without, with) = (resolved(&["--workspace"], "normal,build"), resolved(&["--workspace"], "normal,build,dev"));
    for (name, features) in without {
        assert_eq!(with.get(&name), Some(&features), "`{name}`: ask for it in the workspace's own list of dependencies");
    }
}

/// Files that name a system although they are outside its folder and the list, with the reason.
/// This list may only become shorter.
const NAME_A_SYSTEM: [(&str, &str); 12] = [
    ("engine/src/sighted.rs", "joins what services saw of members with their sign-ins"),
    ("scenarios/src/dispositions/", "what became of each mail, record and sign-in"),
    ("scenarios/src/exchange.rs", "what was asked of each system, in one list"),
    ("scenarios/src/invariants/cedar.rs", "decides as the policies of two systems do"),
    ("scenarios/src/invariants/wording.rs", "words what was asked of each system"),
    ("scenarios/src/invariants/cross.rs", "tests"),
    ("scenarios/src/invariants/dead_stack.rs", "tests"),
    ("scenarios/src/invariants/fixtures.rs", "tests"),
    ("scenarios/src/links.rs", "follows the links in mails"),
    ("scenarios/src/right.rs", "which statuses are right for what was asked"),
    ("scenarios/src/systems/mod.rs", "the list"),
    ("src/up.rs", "flags that say how large two systems are"),
];

/// The code of every file below a folder, without the tests at its end, by its path from the root.
fn code(folder: &Path, root: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, root, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap().to_owned();
            found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), code);
        }
    }
}

/// Whether code names the module of a system, alone or in a list in braces, or its entry in the list.
fn names(code: &str, folder: &str) -> bool {
    let entry: String = folder.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
    let lists = code.split("systems::{").skip(1).filter_map(|rest| rest.split('}').next());
    let is_listed = lists.flat_map(|list| list.split(',')).any(|one| one.trim() == folder);
    is_listed || code.contains(&format!("systems::{folder}")) || code.contains(&format!("System::{entry}"))
}

#[test]
fn a_system_is_named_only_in_its_folder_and_in_the_list() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let home = "scenarios/src/systems";
    let folders: Vec<String> = std::fs::read_dir(root.join(home))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert!(folders.len() >= 6, "{folders:?}");
    let mut all = BTreeMap::new();
    for folder in ["src", "engine/src", "extension", "reports/src", "scenarios/load/src", "scenarios/src", "stack"] {
        code(&root.join(folder), root, &mut all);
    }
    for folder in &folders {
        let own = format!("{home}/{folder}/");
        for (path, code) in all.iter().filter(|(path, _)| !path.starts_with(&own) && !path.contains("/tests/")) {
            let is_allowed = NAME_A_SYSTEM.iter().any(|(allowed, _)| path.starts_with(allowed));
            assert!(is_allowed || !names(code, folder), "`{path}` names `{folder}`: ask the system, through `UnderTest` or `SystemLoad`");
        }
    }
}
