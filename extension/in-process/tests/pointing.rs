//! A real process that points itself: this test program, started again to run only the test
//! `function`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

/// The variables that the process prints after it has called `point_at_extension`.
const SEEN: [&str; 5] = ["AWS_LAMBDA_RUNTIME_API", "HTTPS_PROXY", "NO_PROXY", "1BAD", "KEPT"];

/// The function's process; only the other tests start it.
#[test]
#[ignore = "started by the other tests as a process of its own"]
fn function() {
    brownout_in_process::point_at_extension();
    println!("\npid={}", std::process::id());
    println!("arguments={}", std::env::args().skip(1).collect::<Vec<_>>().join(" "));
    for name in SEEN {
        if let Ok(value) = std::env::var(name) {
            println!("{name}={value}");
        }
    }
}

const ARGUMENTS: &str = "--exact function --ignored --nocapture";

/// Runs the function and returns what it saw, including the process id it was started with.
fn seen(folder: &Path, listen: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(ARGUMENTS.split(' ')).env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001").env("BROWNOUT_LISTEN", listen);
    command.env_remove("HTTPS_PROXY").env_remove("NO_PROXY");
    command.env("TMPDIR", folder).env("KEPT", "a b").envs(more.iter().copied()).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut seen: BTreeMap<_, _> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(seen.remove("pid"), Some(id.to_string()), "{text}");
    assert_eq!(seen.remove("arguments").as_deref(), Some(ARGUMENTS), "{text}");
    assert_eq!(seen.remove("KEPT").as_deref(), Some("a b"), "{text}");
    seen
}

fn write(folder: &Path, listen: &str, text: &str) {
    std::fs::write(folder.join(format!("brownout-{listen}.ready")), text).unwrap();
}

#[test]
fn a_function_is_pointed_with_every_variable_that_the_extension_has_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let extension = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = extension.local_addr().unwrap().to_string();
    let pid = std::process::id();
    write(folder.path(), &listen, &format!("{pid}\nHTTPS_PROXY=http://127.0.0.1:1\nnothing\n1BAD=x\nNO_PROXY=a=b $(no)\n"));
    let seen = seen(folder.path(), &listen, &[]);
    let expected = [("AWS_LAMBDA_RUNTIME_API", listen.as_str()), ("HTTPS_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "a=b $(no)")];
    assert_eq!(seen, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn nothing_changes_if_anything_is_unclear() {
    let folder = tempfile::tempdir().unwrap();
    let extension = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = extension.local_addr().unwrap().to_string();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let pid = std::process::id();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let api = |address: &str| BTreeMap::from([("AWS_LAMBDA_RUNTIME_API".to_owned(), address.to_owned())]);
    let platform = api("127.0.0.1:9001");

    assert_eq!(seen(folder.path(), &listen, &[]), platform, "no file");
    for text in ["".to_owned(), "\n".to_owned(), "x\n".to_owned(), "0\n".to_owned(), format!("-{pid}\n"), format!("{}\n", ended.id())] {
        write(folder.path(), &listen, &text);
        assert_eq!(seen(folder.path(), &listen, &[]), platform, "{text:?}");
    }
    let good = format!("{pid}\nHTTPS_PROXY=x\n");
    write(folder.path(), &closed, &good);
    assert_eq!(seen(folder.path(), &closed, &[]), platform, "no listener");
    write(folder.path(), "0.0.0.0:1", &good);
    assert_eq!(seen(folder.path(), "0.0.0.0:1", &[]), platform, "not a loopback address");
    write(folder.path(), &listen, &good);
    assert_eq!(seen(folder.path(), &listen, &[("BROWNOUT_POINTED", "1")]), platform, "a second time");
    assert_eq!(seen(folder.path(), &listen, &[("AWS_LAMBDA_RUNTIME_API", &listen)]), api(&listen), "pointed by the wrapper already");
    write(folder.path(), &listen, &format!("{pid}\nHTTPS_PROXY=a\0b\n"));
    assert_eq!(seen(folder.path(), &listen, &[]), platform, "a value that no variable can have");
}
