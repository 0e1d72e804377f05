//! The folders of an environment: layers at `/opt`, a `/tmp` of its own, the code at `/var/task`;
//! where the kernel does not let us, variables lead to them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use stack::guard;
use stack::platform::{Code, Function};

use crate::platform::runtimes::programs;
use crate::platform::support::{More, Up, function, until, with};

fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A function of a folder with a layer; this test binary is its runtime.
async fn up(namespace: bool) -> Option<Up> {
    let folder = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let child = |test: &str| format!("exec '{}' --ignored --exact --nocapture platform::child::{test}", exe.display());
    let (code, opt) = (folder.path().join("code"), folder.path().join("layer"));
    program(&code.join("bootstrap"), &child("runtime"));
    program(&opt.join("bin/tool"), "echo the tool");
    program(&opt.join("extensions/stand-in"), &child("extension"));
    std::fs::write(opt.join("data"), "of the layer").unwrap();
    let f = Function { opt: Some(opt), concurrency: 2, ..function("f") };
    let f = Function { code: Code::Bootstrap { handler: "a.b".into(), folder: code }, ..f };
    let namespace = namespace.then(|| programs().join("brownout-namespace"));
    let up = with(vec![f], None, folder, More { namespace, ..More::default() }).await.unwrap();
    let refused = up.platform.notices.iter().find(|notice| notice.contains("variables such as"));
    if let Some(refused) = refused {
        println!("SKIPPED: {refused}");
        up.down().await;
        return None;
    }
    Some(up)
}

async fn shell(up: &Up, script: &str) -> Vec<String> {
    let (invoked, said) = up.invoke("f", json!({ "do": "shell", "script": script })).await;
    assert!(!invoked.failed, "{said}");
    said.as_str().unwrap_or_else(|| panic!("{said}")).lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_has_its_folders_where_lambda_has_them() {
    let Some(up) = up(true).await else { return };
    let script = "pwd; echo $LAMBDA_TASK_ROOT; cat /opt/data; echo; ls /var/task; tool; \
                  touch /opt/x 2>/dev/null || echo read-only; touch /var/task/x 2>/dev/null || echo read-only; ls -A /tmp/mine 2>/dev/null; \
                  touch /tmp/mine; ls -d /tmp/mine; ls -d /var/lib; echo \"${TMPDIR-none}\"";
    let said = shell(&up, script).await;
    let expected =
        ["/var/task", "/var/task", "of the layer", "bootstrap", "the tool", "read-only", "read-only", "/tmp/mine", "/var/lib", "none"];
    assert_eq!(said, expected);
    assert!(!Path::new("/tmp/mine").exists() && !Path::new("/opt/data").exists());
    // The same environment keeps its folder.
    until("the environment", || up.platform.health().environments == 1).await;
    assert_eq!(shell(&up, "ls /tmp/mine").await, ["/tmp/mine"]);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_environment_has_a_tmp_of_its_own() {
    let Some(up) = up(true).await else { return };
    let script = "touch /tmp/$$; sleep 1; ls /tmp | grep -c '^[0-9]*$'";
    let (one, two) = tokio::join!(shell(&up, script), shell(&up, script));
    assert_eq!((one, two), (vec!["1".to_owned()], vec!["1".to_owned()]));
    assert_eq!(up.platform.health().environments, 2);
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_finds_processes_with_mounts_of_their_own() {
    let Some(up) = up(true).await else { return };
    shell(&up, "true").await;
    assert!(guard::marked(up.marker()).len() >= 2, "{:?}", guard::marked(up.marker()));
    guard::end_all(up.marker()).unwrap();
    until("the end of the environment", || up.platform.health().ended_badly == 1).await;
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_mounts_variables_lead_to_the_folders() {
    let up = up(false).await.unwrap();
    let said =
        shell(&up, "tool; cat ../layer/data; echo; touch $TMPDIR/x; ls $TMPDIR; echo $LAMBDA_TASK_ROOT; echo $LD_LIBRARY_PATH").await;
    let folder = up.folder.path().display().to_string();
    assert_eq!(said[..4], ["the tool".to_owned(), "of the layer".to_owned(), "x".to_owned(), format!("{folder}/code")]);
    assert_eq!(said[4], format!("{folder}/code:{folder}/code/lib:{folder}/layer/lib"));
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: what mounts of its own cost an environment at its start"]
async fn the_cost_of_mounts() {
    for namespace in [false, true, false, true] {
        let Some(up) = up(namespace).await else { continue };
        let mut times = Vec::new();
        for _ in 0..60 {
            let before = std::time::Instant::now();
            shell(&up, "true").await;
            times.push(before.elapsed());
            guard::end_all(up.marker()).unwrap();
            let ended = u64::try_from(times.len()).unwrap();
            until("the end of the environment", || up.platform.health().ended_badly == ended).await;
        }
        times.sort();
        println!("mounts {namespace}: median {:?}", times[30]);
        up.down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bootstrap_without_its_executable_bit_does_not_start() {
    let Some(up) = up(true).await else { return };
    let program = up.folder.path().join("code/bootstrap");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (invoked, error) = up.invoke("f", json!({})).await;
    assert!(invoked.failed);
    assert_eq!(error["errorType"], "Runtime.InvalidEntrypoint");
    let message = error["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Error: fork/exec /var/task/bootstrap: permission denied"), "{message}");
    up.down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn extensions_of_a_layer_are_started_and_told() {
    for namespace in [false, true] {
        let Some(up) = up(namespace).await else { continue };
        shell(&up, "true").await;
        let log = up.folder.path().join("run/logs/f.log");
        let told = |what: &str| std::fs::read_to_string(&log).is_ok_and(|text| text.contains(what));
        until("the event of the extension", || told("INVOKE f")).await;
        let kept = tempfile::tempdir().unwrap();
        std::fs::hard_link(&log, kept.path().join("log")).unwrap();
        up.down().await;
        let text = std::fs::read_to_string(kept.path().join("log")).unwrap();
        assert!(text.contains("SHUTDOWN f"), "{text}");
    }
}
