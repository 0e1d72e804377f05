//! `.ci/wheel`: what pip installs from it runs a shipped experiment from an empty folder, without Rust.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{self, BROWNOUT, Share};

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

/// The wheel of the programs that the tests run; the archive beside it.
fn packed(out: &Path) -> PathBuf {
    let mut script = Command::new("python3");
    script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/wheel")).args(["--level", "1", "--programs"]);
    let output = script.arg(support::programs()).arg("--out").arg(out).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let files: Vec<_> = std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    let ends = |path: &&PathBuf, end: &str| path.to_string_lossy().ends_with(end);
    assert!(files.len() == 2 && files.iter().any(|path| ends(&path, ".tar.gz")), "{files:?}");
    files.iter().find(|path| ends(path, ".whl")).unwrap().clone()
}

#[test]
fn every_function_of_the_systems_is_in_the_program_of_all() {
    let list = Command::new(support::programs().join("brownout-functions")).arg("list").output().unwrap();
    let mut listed: Vec<_> = std::str::from_utf8(&list.stdout).unwrap().lines().collect();
    let mut wanted: Vec<_> = scenarios::systems::System::ALL.into_iter().flat_map(|system| system.programs()).collect();
    listed.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(listed, wanted);
    let unknown = Command::new(support::programs().join("brownout-functions")).output().unwrap();
    assert!(!unknown.status.success() && said(&unknown).contains("is no function of a sample system"), "{}", said(&unknown));
}

#[test]
fn an_installed_wheel_runs_a_shipped_experiment_in_an_empty_folder() {
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !has_pip.is_ok_and(|status| status.success()) {
        println!("SKIPPED: python3 has no pip");
        return;
    }
    let _turn = Share::Sixth.take();
    let folder = tempfile::tempdir().unwrap();
    let (installed, empty) = (folder.path().join("installed"), folder.path().join("empty"));
    let wheel = packed(&folder.path().join("out"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--target"]);
    let output = pip.arg(&installed).arg(&wheel).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    std::fs::create_dir(&empty).unwrap();
    let brownout = || {
        let mut command = Command::new(installed.join("bin/brownout"));
        command.env_remove("BROWNOUT_PROGRAMS").env_remove("CARGO").env_remove("CARGO_MANIFEST_DIR");
        command.env("PYTHONPATH", &installed).current_dir(&empty);
        command
    };
    let version = |command: &mut Command| said(&command.arg("--version").output().unwrap());
    assert_eq!(version(&mut brownout()), version(&mut Command::new(BROWNOUT)));
    let output = brownout().args(["run", "quiet", "--out", "out"]).output().unwrap();
    let result: Value =
        serde_json::from_slice(&std::fs::read(empty.join("out/result.json")).unwrap_or_else(|_| panic!("{}", said(&output)))).unwrap();
    assert!([0, 4].contains(&output.status.code().unwrap()), "{}", said(&output));
    assert!(result["books"]["answered"].as_u64().unwrap() > 0 && empty.join("out/report.html").is_file(), "{}", said(&output));
}
