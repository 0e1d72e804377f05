//! The command itself is disturbed, with a healthy server.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use crate::support::{self, BROWNOUT, Outcome, Running, within};
use crate::verdicts::bare::{NOT_SHOWN, says, shop};
use crate::verdicts::server::{Answer, Answers, Server};

const WELL: Answers = Answers::Always(Answer::Now(200));

const AIMS: &str = "[[expect]]\nof = \"shop GET /\"\np50 = \"<= 1s\"\np99 = \"<= 1s\"\n";

/// A run in its fault phase.
fn under_way(folder: &tempfile::TempDir, server: &Server) -> Running {
    let running = support::start(folder.path(), &shop(&server.url(), 80, AIMS), &[]);
    // The log is there once the first request is due; the fault phase begins 6 s later and lasts 6 s.
    within(Duration::from_secs(60), "the first request", || running.out.join("latency.hlog").exists().then_some(()));
    std::thread::sleep(Duration::from_secs(8));
    running
}

#[test]
fn a_run_that_is_killed_leaves_no_verdict() {
    let _turn = support::Share::Place.take();
    let (server, folder) = (Server::start(WELL), tempfile::tempdir().unwrap());
    let mut running = under_way(&folder, &server);
    running.signal("KILL");
    assert_eq!(running.finish().status.signal(), Some(9));
    assert!(!folder.path().join("result.json").exists() && !folder.path().join("summary.md").exists());
}

#[test]
fn a_generator_that_stood_still_does_not_break_the_stack() {
    let _turn = support::Share::Place.take();
    let (server, folder) = (Server::start(WELL), tempfile::tempdir().unwrap());
    let running = under_way(&folder, &server);
    running.signal("STOP");
    std::thread::sleep(Duration::from_secs(3));
    running.signal("CONT");
    let outcome = support::ended(running, folder);
    let why = "only with the time that requests waited to be sent";
    says(&outcome, NOT_SHOWN, &["Neither held nor broken was shown: `shop GET /`"], &[why]);
}

fn run_with_few_descriptors(answers: Answers) -> Outcome {
    let _turn = support::Share::Place.take();
    let (server, folder) = (Server::start(answers), tempfile::tempdir().unwrap());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -n 40; exec \"$0\" \"$@\"", BROWNOUT]);
    let running = support::start_by(shell, folder.path(), &shop(&server.url(), 80, ""), &[]);
    support::ended(running, folder)
}

#[test]
fn a_generator_without_descriptors_blames_itself() {
    let outcome = run_with_few_descriptors(Answers::Always(Answer::After(Duration::from_secs(1), 200)));
    let last = outcome.stderr.lines().last().unwrap_or_default();
    let says = "error: the load generator cannot open more connections or timers; raise the limit on open files (`ulimit -n`) or lower `longest-journey`: ";
    assert!(outcome.code == 2 && last.starts_with(says), "{}", outcome.story());
    assert!(!outcome.folder.path().join("result.json").exists(), "nothing was measured, so there is no verdict");
}
