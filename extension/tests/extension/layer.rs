//! The layer's scripts: they point a runtime at the extension if it listens, and change nothing if
//! it does not.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Extension, Platform};

/// The script that the layer puts in front of a runtime.
fn wrapper() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("layer/wrapper")
}

/// Runs it in front of `printenv`; returns the Runtime API that the runtime would use.
fn runtime_api(folder: &Path, listen: &str, more: &[(&str, &str)]) -> String {
    let mut command = Command::new(wrapper());
    command.env("AWS_LAMBDA_RUNTIME_API", "platform").env("BROWNOUT_LISTEN", listen).env("TMPDIR", folder);
    command.envs(more.iter().copied());
    let output = command.args(["printenv", "AWS_LAMBDA_RUNTIME_API"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn program(name: &str) -> String {
    let found = ["/usr/bin", "/bin"].map(|folder| format!("{folder}/{name}")).into_iter().find(|path| Path::new(path).exists());
    found.expect("printenv is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_is_pointed_at_the_extension_only_while_that_is_alive() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, None).await;
    let listen = extension.listen.to_string();
    let folder = extension.folder.path().to_owned();
    let ready = folder.join(format!("brownout-{listen}.ready"));
    crate::support::until("the ready file is there", || ready.exists().then_some(())).await;
    assert_eq!(runtime_api(&folder, &listen, &[]), listen);

    // No listener at that address, and a file that a killed extension left behind.
    assert_eq!(runtime_api(&folder, "127.0.0.3:1", &[]), "platform");
    let left = tempfile::tempdir().unwrap();
    std::fs::copy(&ready, left.path().join(ready.file_name().unwrap())).unwrap();
    drop(extension);
    assert_eq!(runtime_api(left.path(), &listen, &[]), "platform");
    std::fs::write(left.path().join(ready.file_name().unwrap()), "").unwrap();
    assert_eq!(runtime_api(left.path(), &listen, &[]), "platform");
}

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_wrapper_that_was_there_before_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let before = script(folder.path(), "before", "AWS_LAMBDA_RUNTIME_API=\"wrapped $AWS_LAMBDA_RUNTIME_API\" exec \"$@\"");
    let chained = [("BROWNOUT_EXEC_WRAPPER", before.to_str().unwrap())];
    assert_eq!(runtime_api(folder.path(), "127.0.0.3:1", &chained), "wrapped platform");
}

/// The shells that are used as `/bin/sh`: dash and bash on Debian and Amazon Linux, busybox in
/// small images.
fn shells() -> Vec<Vec<&'static str>> {
    let known = [vec!["/bin/dash"], vec!["/bin/bash", "--posix"], vec!["/bin/busybox", "sh"], vec!["/bin/sh"]];
    known.into_iter().filter(|shell| Path::new(shell[0]).exists()).collect()
}

#[test]
fn every_shell_exports_the_extensions_variables_and_never_evaluates_them() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("brownout-127.0.0.9:1.ready");
    let more =
        "HTTPS_PROXY=http://127.0.0.1:2\nODD=a=b $(touch x) `y` \\n 'z\nno line\n1BAD=1\nB-AD=1\n=1\nPPID=1\nBASHOPTS=1\nUID=1\nLAST=1";
    std::fs::write(&ready, format!("{}\n{more}", std::process::id())).unwrap();
    for shell in shells() {
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).arg(wrapper()).env_clear().envs([("BROWNOUT_LISTEN", "127.0.0.9:1"), ("line", "kept"), ("pid", "kept")]);
        command.env("TMPDIR", folder.path()).env("AWS_LAMBDA_RUNTIME_API", "platform").arg(program("env"));
        let output = command.current_dir(folder.path()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let mut told: Vec<_> = told.lines().collect();
        // What a shell sets by itself, and what it was given.
        let known = ["PWD=", "SHLVL=", "_=", "OLDPWD=", "PATH=", "TMPDIR=", "BROWNOUT_"];
        told.retain(|line| !known.iter().any(|name| line.starts_with(name)));
        told.sort_unstable();
        let expected = [
            "AWS_LAMBDA_RUNTIME_API=127.0.0.9:1",
            "HTTPS_PROXY=http://127.0.0.1:2",
            "LAST=1",
            "ODD=a=b $(touch x) `y` \\n 'z",
            "line=kept",
            "pid=kept",
        ];
        assert_eq!(told, expected, "{shell:?} {}", String::from_utf8_lossy(&output.stderr));
        assert!(!folder.path().join("x").exists(), "{shell:?}");
    }
}

/// The output of a command that ends by itself; one that runs for ever is killed and fails the
/// test.
fn ends(mut command: Command, what: &str) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("{what}: it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_wrapper_that_leads_back_to_brownouts_still_starts_the_function() {
    let folder = tempfile::tempdir().unwrap();
    let (own, again) = (wrapper(), folder.path().join("again"));
    std::os::unix::fs::symlink(&own, &again).unwrap();
    let back = script(folder.path(), "back", &format!("exec '{}' \"$@\"", own.display()));
    let forks = script(folder.path(), "forks", &format!("'{}' \"$@\"", own.display()));
    let not_to_run = folder.path().join("not-to-run");
    std::fs::write(&not_to_run, "#!/bin/sh\nexit 1\n").unwrap();
    for shell in shells() {
        for before in [&own, &again, &back, &forks, &not_to_run, &folder.path().to_owned(), &folder.path().join("absent")] {
            let what = format!("{shell:?} {}", before.display());
            let mut command = Command::new(shell[0]);
            command.args(&shell[1..]).arg(&own).arg("printenv").arg("AWS_LAMBDA_RUNTIME_API");
            command.env("AWS_LAMBDA_RUNTIME_API", "platform").env("BROWNOUT_LISTEN", "127.0.0.3:1").env("TMPDIR", folder.path());
            command.env("BROWNOUT_EXEC_WRAPPER", before);
            assert_eq!(ends(command, &what), (Some(0), "platform".to_owned()), "{what}");
        }
        let mut nothing = Command::new(shell[0]);
        nothing.args(&shell[1..]).arg(&own).env("BROWNOUT_EXEC_WRAPPER", "");
        assert_eq!(ends(nothing, "no command").0, Some(127), "{shell:?}");
    }
}

/// AWS Lambda Web Adapter's layer has `/opt/bootstrap`, which is set as the wrapper; Bref's
/// `/opt/bootstrap` is the runtime itself.
#[test]
fn a_bootstrap_of_another_layer_stays_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = script(folder.path(), "bootstrap", "echo adapted; exec \"$@\"");
    let mut command = Command::new(wrapper());
    command.args(["printenv", "AWS_LAMBDA_RUNTIME_API"]).env("AWS_LAMBDA_RUNTIME_API", "platform");
    command.env("BROWNOUT_LISTEN", "127.0.0.3:1").env("TMPDIR", folder.path()).env("BROWNOUT_EXEC_WRAPPER", &adapter);
    assert_eq!(ends(command, "an adapter"), (Some(0), "adapted\nplatform".to_owned()));
    let files: Vec<_> = std::fs::read_dir(wrapper().parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!files.iter().any(|name| name == "bootstrap"), "{files:?}");
}

#[test]
fn a_broken_ready_file_never_prevents_a_function_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("brownout-127.0.0.9:1.ready");
    for text in ["", "0\n", "-1\n", "00\n", "x\n", "1 2\n", "$(true)\n", "\n\n", "99999999999999999999\nHTTPS_PROXY=x\n"] {
        std::fs::write(&ready, text).unwrap();
        assert_eq!(runtime_api(folder.path(), "127.0.0.9:1", &[]), "platform", "{text:?}");
    }
    std::fs::remove_file(&ready).unwrap();
    std::fs::create_dir(&ready).unwrap();
    assert_eq!(runtime_api(folder.path(), "127.0.0.9:1", &[]), "platform", "a folder");
}
