//! The command as a person meets it: what it says, what it refuses, what the README promises of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

fn brownout(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(support::BROWNOUT).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_readme_lists_the_exit_codes_that_the_command_lists() {
    let (_, help, _) = brownout(&["--help"]);
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let rows: Vec<_> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            cells.first()?.parse::<u8>().ok()?;
            Some(cells.join(" "))
        })
        .collect();
    let listed: Vec<_> = help
        .lines()
        .skip_while(|line| !line.starts_with("Exit codes:"))
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(rows, listed);
}

#[test]
fn every_shipped_experiment_checks_and_an_unknown_one_is_named() {
    let names = ["slow-authorizer", "failing-authorizer", "decision-point-down", "lost-shadow-write", "quiet", "published-form"];
    let (code, out, err) = brownout(&[&["check"], names.as_slice()].concat());
    assert_eq!((code, out.lines().count()), (0, names.len()), "{err}");
    let (code, _, err) = brownout(&["check", "slow-authoriser"]);
    assert_eq!(code, 2);
    assert!(err.contains("`slow-authorizer`"), "{err}");
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let (code, schema, _) = brownout(&["schema"]);
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["fault"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = brownout(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains("brownout"), "{shell}");
    }
}

#[test]
fn a_report_of_nothing_is_an_error_that_names_the_folder() {
    let (code, _, err) = brownout(&["report", "nowhere/at/all"]);
    assert_eq!(code, 2);
    assert!(err.contains("nowhere/at/all"), "{err}");
}

#[test]
fn a_response_that_could_open_a_door_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let text = "question = \"May a fault open a door?\"\nsystems = [\"clinic\"]\n[load]\nclinic = { rate = \"1/s\" }\n[[fault]]\nfunction = \"authorizer\"\n\
        response = { raw = '{\"policyDocument\":{\"Statement\":[{\"Effect\":\"\\u0041llow\"}]}}' }\n";
    let file = folder.path().join("open.toml");
    std::fs::write(&file, text).unwrap();
    let (code, _, err) = brownout(&["run", file.to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(err.contains("never opens a door"), "{err}");
}
