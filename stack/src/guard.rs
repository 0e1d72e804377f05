//! Waits until its parent is gone, then ends every process of one stack. It starts nothing and ends
//! only processes that carry the marker.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The variable that every process of a stack carries.
const VARIABLE: &str = "BROWNOUT_STACK";
/// How long the processes of a dead stack may take to end.
const LIMIT: Duration = Duration::from_secs(5);

/// Blocks until standard input ends, which happens when the parent ends or dies. Then ends every
/// process with `BROWNOUT_STACK=<marker>` in its environment, stopped ones too, until none is left.
///
/// # Errors
/// If standard input cannot be read, or processes are left after 5 s.
pub fn guard(marker: &str) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut buffer = [0; 64];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return end_all(marker),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                end_all(marker)?;
                return Err(error);
            }
        }
    }
}

/// Ends every process that carries the marker, except this one.
///
/// # Errors
/// If processes are left after 5 s.
pub fn end_all(marker: &str) -> io::Result<()> {
    let began = Instant::now();
    loop {
        let left = marked(marker);
        if left.is_empty() {
            return Ok(());
        }
        if began.elapsed() > LIMIT {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("processes {left:?} of `{marker}` did not end")));
        }
        for pid in left.into_iter().filter_map(Pid::from_raw) {
            // A process that has ended meanwhile needs no signal.
            let _ = kill_process(pid, Signal::CONT);
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes that carry the marker, without this one. A process that has ended and waits to be
/// reaped has no environment any more.
pub fn marked(marker: &str) -> Vec<i32> {
    if marker.is_empty() {
        return Vec::new();
    }
    let wanted = format!("{VARIABLE}={marker}");
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own).filter(|pid| carries(*pid, wanted.as_bytes())).collect()
}

fn carries(pid: i32, wanted: &[u8]) -> bool {
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|variables| variables.split(|byte| *byte == 0).any(|variable| variable == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn marked_child(marker: &str) -> Child {
        Command::new("sleep").arg("600").env(VARIABLE, marker).spawn().unwrap()
    }

    #[test]
    fn running_and_stopped_processes_of_the_marker_end_and_others_stay() {
        let marker = format!("guard-test-{}", std::process::id());
        let (mut running, mut stopped) = (marked_child(&marker), marked_child(&marker));
        let mut other = marked_child(&format!("{marker}-other"));
        kill_process(Pid::from_child(&stopped), Signal::STOP).unwrap();
        // A child that has not yet executed `sleep` shows its parent's environment.
        let began = Instant::now();
        while marked(&marker).len() < 2 && began.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let ended = end_all(&marker);
        let stays = other.try_wait().unwrap().is_none();
        for child in [&mut running, &mut stopped, &mut other] {
            let _ = child.kill();
            child.wait().unwrap();
        }
        ended.unwrap();
        assert!(stays);
        assert!(marked(&marker).is_empty());
    }

    #[test]
    fn an_empty_marker_marks_nothing() {
        assert!(marked("").is_empty());
    }
}
