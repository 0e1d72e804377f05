//! The layer's scripts: they point a runtime at the extension where it listens, and change nothing where it does not.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{Extension, Platform};

/// Runs a script of the layer in front of `printenv`; what the runtime would take for the Runtime API.
fn runtime_api(script: &str, folder: &Path, listen: &str, more: &[(&str, &str)]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("layer").join(script);
    let mut command = Command::new(script);
    command.env("AWS_LAMBDA_RUNTIME_API", "platform").env("BROWNOUT_LISTEN", listen).env("TMPDIR", folder);
    command.envs(more.iter().copied());
    if !more.iter().any(|(name, _)| *name == "BROWNOUT_BOOTSTRAP") {
        command.arg("printenv");
    }
    let output = command.arg("AWS_LAMBDA_RUNTIME_API").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn program(name: &str) -> String {
    let found = ["/usr/bin", "/bin"].map(|folder| format!("{folder}/{name}")).into_iter().find(|path| Path::new(path).exists());
    found.expect("printenv is there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_is_pointed_at_the_extension_only_while_it_lives() {
    let platform = Platform::start().await;
    let extension = Extension::start(&platform, None).await;
    let listen = extension.listen.to_string();
    let printenv = program("printenv");
    let bootstrap = [("BROWNOUT_BOOTSTRAP", printenv.as_str())];
    let folder = extension.folder.path().to_owned();
    let ready = folder.join(format!("brownout-{listen}.ready"));
    support::until("the ready file is there", || ready.exists().then_some(())).await;
    assert_eq!(runtime_api("wrapper", &folder, &listen, &[]), listen);
    assert_eq!(runtime_api("bootstrap", &folder, &listen, &bootstrap), listen);

    // Nobody at that address, and a file that a killed extension left behind.
    assert_eq!(runtime_api("wrapper", &folder, "127.0.0.3:1", &[]), "platform");
    let left = tempfile::tempdir().unwrap();
    std::fs::copy(&ready, left.path().join(ready.file_name().unwrap())).unwrap();
    drop(extension);
    assert_eq!(runtime_api("wrapper", left.path(), &listen, &[]), "platform");
    assert_eq!(runtime_api("bootstrap", left.path(), &listen, &bootstrap), "platform");
    std::fs::write(left.path().join(ready.file_name().unwrap()), "").unwrap();
    assert_eq!(runtime_api("wrapper", left.path(), &listen, &[]), "platform");
}

#[test]
fn a_wrapper_that_was_there_before_still_runs() {
    let folder = tempfile::tempdir().unwrap();
    let before = folder.path().join("before");
    std::fs::write(&before, "#!/bin/sh\nAWS_LAMBDA_RUNTIME_API=\"wrapped $AWS_LAMBDA_RUNTIME_API\" exec \"$@\"\n").unwrap();
    std::fs::set_permissions(&before, std::fs::Permissions::from_mode(0o755)).unwrap();
    let chained = [("BROWNOUT_EXEC_WRAPPER", before.to_str().unwrap())];
    assert_eq!(runtime_api("wrapper", folder.path(), "127.0.0.3:1", &chained), "wrapped platform");
}

/// The shells that `/bin/sh` is somewhere: dash and bash on Debian and Amazon Linux, busybox in small images.
fn shells() -> Vec<Vec<&'static str>> {
    let known = [vec!["/bin/dash"], vec!["/bin/bash", "--posix"], vec!["/bin/busybox", "sh"], vec!["/bin/sh"]];
    known.into_iter().filter(|shell| Path::new(shell[0]).exists()).collect()
}

#[test]
fn what_the_extension_has_for_the_runtime_is_exported_and_never_evaluated_in_every_shell() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("brownout-127.0.0.9:1.ready");
    let more =
        "HTTPS_PROXY=http://127.0.0.1:2\nODD=a=b $(touch x) `y` \\n 'z\nno line\n1BAD=1\nB-AD=1\n=1\nPPID=1\nBASHOPTS=1\nUID=1\nLAST=1";
    std::fs::write(&ready, format!("{}\n{more}", std::process::id())).unwrap();
    for shell in shells() {
        for name in ["wrapper", "bootstrap"] {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("layer").join(name);
            let mut command = Command::new(shell[0]);
            command.args(&shell[1..]).arg(script).env_clear().envs([("BROWNOUT_LISTEN", "127.0.0.9:1"), ("line", "kept"), ("pid", "kept")]);
            command.env("TMPDIR", folder.path()).env("AWS_LAMBDA_RUNTIME_API", "platform");
            let env = program("env");
            let command = if name == "wrapper" { command.arg(env) } else { command.env("BROWNOUT_BOOTSTRAP", env) };
            let output = command.current_dir(folder.path()).output().unwrap();
            let told = String::from_utf8(output.stdout).unwrap();
            let mut told: Vec<_> = told.lines().collect();
            // What a shell sets of its own accord, and what it was given.
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
            assert_eq!(told, expected, "{shell:?} {name} {}", String::from_utf8_lossy(&output.stderr));
            assert!(!folder.path().join("x").exists(), "{shell:?}");
        }
    }
}

#[test]
fn a_broken_ready_file_never_keeps_a_function_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("brownout-127.0.0.9:1.ready");
    for text in ["", "0\n", "-1\n", "00\n", "x\n", "1 2\n", "$(true)\n", "\n\n", "99999999999999999999\nHTTPS_PROXY=x\n"] {
        std::fs::write(&ready, text).unwrap();
        assert_eq!(runtime_api("wrapper", folder.path(), "127.0.0.9:1", &[]), "platform", "{text:?}");
    }
    std::fs::remove_file(&ready).unwrap();
    std::fs::create_dir(&ready).unwrap();
    assert_eq!(runtime_api("wrapper", folder.path(), "127.0.0.9:1", &[]), "platform", "a folder");
}
