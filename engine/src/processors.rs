//! How this machine's processors were used: by this run, by other programs, or not at all. From `/proc` of Linux
//! (proc_pid_stat(5), proc_stat(5)); elsewhere nothing is known.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use reports::Phase;
use reports::measurements::{Processors, RunKind};

/// The recorded phases, in their order.
const PHASES: [Phase; 3] = [Phase::Baseline, Phase::Fault, Phase::Recovery];

/// The use of the processors, phase by phase.
#[derive(Debug, Default)]
pub struct Usage {
    is_local: bool,
    marks: Vec<Option<Used>>,
}

impl Usage {
    /// Of a run that has not begun; `is_local` if the system under test runs on this machine.
    pub fn of(is_local: bool) -> Self {
        Self { is_local, marks: Vec::new() }
    }

    /// A phase begins or ends now. The first call begins the baseline.
    pub fn mark(&mut self) {
        if self.is_local && self.marks.len() <= PHASES.len() {
            self.marks.push(Used::now());
        }
    }

    /// The phases that have ended.
    pub fn phases(&self) -> BTreeMap<Phase, Processors> {
        let spans = PHASES.into_iter().zip(self.marks.windows(2));
        spans.filter_map(|(phase, span)| Some((phase, span.get(1).copied()??.since(span.first().copied()??)?))).collect()
    }

    /// The phases in which other programs took the processors, a sentence each.
    pub fn notes(&self, kind: RunKind) -> Vec<String> {
        let taken = self.phases().into_iter().filter(|(_, one)| one.are_taken());
        let note = |(phase, one): (Phase, Processors)| {
            format!("other programs took {} % of this machine's processors in the {} phase", one.others, kind.phase(phase))
        };
        taken.map(note).collect()
    }
}

/// Processor time since the machine or the processes started, in clock ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Used {
    all: u64,
    idle: u64,
    ours: u64,
}

impl Used {
    /// The time used until now; `None` if the system does not tell. Reads a small file for each
    /// process of the machine.
    fn now() -> Option<Self> {
        let (all, idle) = of_the_machine(&fs::read_to_string("/proc/stat").ok()?)?;
        let processes = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            Some((pid, Process::read(&fs::read_to_string(entry.path().join("stat")).ok()?)?))
        });
        Some(Self { all, idle, ours: of_the_tree(std::process::id(), &processes.collect()) })
    }

    /// How the time since `before` was spent; `None` if no time has passed.
    fn since(self, before: Self) -> Option<Processors> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(before.idle);
        let others = all.saturating_sub(idle).saturating_sub(self.ours.saturating_sub(before.ours));
        let percent = |part: u64| u8::try_from((part * 100 / all).min(100)).unwrap_or(100);
        Some(Processors { others: percent(others), idle: percent(idle) })
    }
}

/// The time of all processors, and of these the idle time, from `/proc/stat`.
fn of_the_machine(stat: &str) -> Option<(u64, u64)> {
    // user nice system idle iowait irq softirq steal; what guests used is in user already.
    let numbers: Vec<u64> = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8).map_while(|n| n.parse().ok()).collect();
    Some((numbers.iter().sum(), numbers.get(3)? + numbers.get(4)?))
}

/// A process: its parent, and the time that it and its ended children used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: u32,
    used: u64,
}

impl Process {
    /// From `/proc/PID/stat`, in which a name in parentheses may contain anything.
    fn read(stat: &str) -> Option<Self> {
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // Field 3 of the manual, the state, is the first after the name; 14 to 17 are the times.
        let used = fields.get(11..15)?.iter().map_while(|time| time.parse::<u64>().ok()).sum();
        Some(Self { parent: fields.get(1)?.parse().ok()?, used })
    }
}

/// The time that a process and all below it used.
fn of_the_tree(root: u32, processes: &HashMap<u32, Process>) -> u64 {
    let is_below = |pid: u32| std::iter::successors(Some(pid), |pid| Some(processes.get(pid)?.parent)).take(64).any(|pid| pid == root);
    processes.iter().filter(|(pid, _)| is_below(**pid)).map(|(_, process)| process.used).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_others_is_what_is_neither_idle_nor_ours() {
        let stat = "cpu  100 0 50 800 40 0 10 0 7 0\ncpu0 1 2 3\n";
        assert_eq!(of_the_machine(stat), Some((1_000, 840)));
        let before = Used { all: 1_000, idle: 840, ours: 20 };
        let busy = Used { all: 2_000, idle: 850, ours: 120 };
        assert_eq!(busy.since(before), Some(Processors { others: 89, idle: 1 }));
        assert_eq!(before.since(before), None);
    }

    #[test]
    fn a_process_is_ours_with_everything_below_it() {
        let line = |name: &str, parent: u32| format!("7 ({name}) S {parent} 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5");
        let read = |name: &str, parent| Process::read(&line(name, parent)).unwrap();
        assert_eq!(read("a b) c", 5), Process { parent: 5, used: 100 });
        let processes = [(1, 0), (5, 1), (6, 5), (7, 6), (8, 1)].map(|(pid, parent)| (pid, read("x", parent)));
        assert_eq!(of_the_tree(5, &processes.into()), 300);
    }

    #[test]
    fn linux_tells() {
        assert!(!cfg!(target_os = "linux") || Used::now().is_some());
    }
}
