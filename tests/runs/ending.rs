//! However a run ends, no process is left, and traffic is normal again within the lease.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Running, Share, processes_of, signal, start, within};
use run_folder::folder::{FILES, FOLDERS};

/// Every invocation of the thermostats' function fails while the plan is in force.
const FAILING: &str = "question = \"What is left when the harness dies?\"\nsystems = [\"thermostat\"]\n\
    [phases]\nwarm-up = \"1s\"\nbaseline = \"2s\"\nfault = \"60s\"\nrecovery = \"1s\"\nlease = \"5s\"\n\
    [load]\nthermostat = { rate = \"10/s\", homes = 2 }\n[[fault]]\nfunction = \"thermostat-api\"\nerror = {}\n";

/// The status of `GET /items` without a token: 401 from the function itself, 502 if it is struck,
/// `None` without an answer.
fn status(gateway: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(gateway).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /prod/items HTTP/1.1\r\nHost: {gateway}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// A run in its fault phase, and its gateway.
fn struck(folder: &std::path::Path) -> (Running, String) {
    let mut running = start(folder, FAILING, &[]);
    let gateway = running.addresses()["gateway"].as_str().unwrap().to_owned();
    within(Duration::from_secs(60), "the fault to strike", || (status(&gateway) == Some(502)).then_some(()));
    (running, gateway)
}

fn nothing_is_left(out: &std::path::Path) {
    within(Duration::from_secs(60), "every process to be gone", || {
        let left = processes_of(out);
        left.is_empty().then_some(())
    });
}

#[test]
fn after_kill_9_of_the_harness_traffic_is_normal_within_the_lease_and_nothing_survives_a_minute() {
    let _turn = Share::Sixth.take();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, gateway) = struck(folder.path());
    running.signal("KILL");
    running.finish();
    within(Duration::from_secs(30), "traffic to be normal after the lease", || (status(&gateway) == Some(401)).then_some(()));
    nothing_is_left(folder.path());
}

#[test]
fn ctrl_c_calms_and_takes_everything_down_and_exits_130() {
    let _turn = Share::Place.take();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, gateway) = struck(folder.path());
    running.signal("INT");
    let output = running.finish();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(status(&gateway), None);
    nothing_is_left(folder.path());
    let plan = std::fs::read_to_string(folder.path().join("plan.json")).unwrap();
    assert!(plan.contains("\"faults\":[]"), "the last plan is a calm one: {plan}");
    // `--force` accepts every file that a run leaves.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = FILES.iter().chain(&FOLDERS).chain(&["experiment.toml", "logs", "run.lock", "stack.lock"]).any(|known| *known == name);
        assert!(known, "{name}");
    }
}

#[test]
fn a_stack_that_dies_is_reported_and_leaves_nothing() {
    let _turn = Share::Place.take();
    let folder = tempfile::tempdir().unwrap();
    let (mut running, _) = struck(folder.path());
    let stack = running.addresses()["pid"].as_u64().unwrap();
    signal(u32::try_from(stack).unwrap(), "KILL");
    let output = running.finish();
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    nothing_is_left(folder.path());
}

#[test]
fn a_signal_before_the_first_request_takes_everything_down_and_has_its_own_exit_code() {
    let _turn = Share::Place.take();
    // `run.lock` is there before the stack is started, `stack.json` before the users sign in.
    for (name, code, file) in [("INT", 130, "run.lock"), ("TERM", 143, "run.lock"), ("HUP", 129, "run.lock"), ("INT", 130, "stack.json")] {
        let folder = tempfile::tempdir().unwrap();
        let mut running = start(folder.path(), &FAILING.replace("homes = 2", "homes = 300"), &[]);
        within(Duration::from_secs(120), file, || folder.path().join(file).exists().then_some(()));
        running.signal(name);
        let output = running.finish();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name} at {file}: {said}");
        assert!(said.contains("stopped as asked") && said.contains("nothing is left running"), "{name} at {file}: {said}");
        nothing_is_left(folder.path());
    }
}
