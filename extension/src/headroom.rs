//! How much memory and disk the environment has left. It must never report too much: if two measures differ, the smaller one counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::runtime_process::{parent, processes};

/// The memory and the disk space that are always kept free.
pub const KEPT_FREE: u64 = 16 << 20;

/// The type of the in-memory file system. Source: `linux/magic.h`.
const TMPFS: i64 = 0x0102_1994;

/// The memory that may still be taken, in bytes. `function` is the memory of the whole function, of
/// which the processes of the runtime (`runtime`) and the extension already use a part.
pub fn memory(runtime: Option<u32>, function: Option<u64>) -> u64 {
    let family: Vec<u32> = runtime.into_iter().chain([std::process::id()]).collect();
    let of_function = function.map(|size| size.saturating_sub(used_by(&family)));
    let of_groups = fs::read_to_string("/proc/self/cgroup").map(|text| of_groups(&text)).unwrap_or_default();
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemAvailable:"));
    let left = of_groups.into_iter().chain(of_function).chain(of_machine).min();
    left.unwrap_or(0).saturating_sub(KEPT_FREE)
}

/// The disk that may still be taken below `folder`, in bytes, and whether that is memory.
pub fn disk(folder: &Path) -> (u64, bool) {
    let free = rustix::fs::statvfs(folder).map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
    let in_memory = rustix::fs::statfs(folder).is_ok_and(|found| found.f_type == TMPFS);
    (free.saturating_sub(KEPT_FREE), in_memory)
}

/// A value of `/proc/meminfo`, `/proc/<n>/status` or a similar file, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let value: u64 = text.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()?;
    Some(value.saturating_mul(1024))
}

/// The memory of these processes and all their descendants.
fn used_by(roots: &[u32]) -> u64 {
    let parents: Vec<(u32, u32)> = processes().filter_map(|number| Some((number, parent(number)?))).collect();
    let mut family: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = family.len();
        for (number, parent) in &parents {
            if family.contains(parent) {
                family.insert(*number);
            }
        }
        if family.len() == before {
            break;
        }
    }
    let held = |number: &u32| fs::read_to_string(format!("/proc/{number}/status")).ok().and_then(|text| kib(&text, "VmRSS:"));
    family.iter().filter_map(held).sum()
}

/// What each control group of this process, including the enclosing ones, has left. Source: the
/// kernel's `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`.
fn of_groups(own: &str) -> Vec<u64> {
    let mut left = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, names) = if controllers.is_empty() {
            ("/sys/fs/cgroup", ["memory.max", "memory.current", "inactive_file "])
        } else if controllers.split(',').any(|one| one == "memory") {
            ("/sys/fs/cgroup/memory", ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "])
        } else {
            continue;
        };
        let within = path.trim_start_matches('/');
        left.extend(Path::new(within).ancestors().filter_map(|group| of_group(&Path::new(root).join(group), names)));
    }
    left
}

/// What a group has left; the kernel frees cached files that are not in use first.
fn of_group(folder: &Path, [limit, used, cached]: [&str; 3]) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(cached)?.trim().parse().ok()).unwrap_or(0);
    Some(number(limit)?.saturating_sub(number(used)?.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_left_what_it_may_have_and_does_not_use() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["memory.max", "memory.current", "inactive_file "];
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(of_group(folder.path(), names), None);
        write("memory.current", "700\n");
        write("memory.max", "max\n");
        assert_eq!(of_group(folder.path(), names), None, "without a limit");
        write("memory.max", "1000\n");
        assert_eq!(of_group(folder.path(), names), Some(300));
        write("memory.stat", "anon 100\ninactive_file 200\n");
        assert_eq!(of_group(folder.path(), names), Some(500));
    }

    #[test]
    fn a_function_has_left_what_its_processes_do_not_use() {
        assert_eq!(memory(None, Some(1 << 20)), 0);
        assert!(used_by(&[std::process::id()]) > 0);
        let large = memory(None, None);
        assert!(memory(None, Some(1 << 30)) < (1 << 30) - KEPT_FREE && large > 0);
    }

    #[test]
    fn a_value_is_read_with_its_unit() {
        let text = "MemTotal:       24105000 kB\nMemAvailable:   12 kB\n";
        assert_eq!((kib(text, "MemAvailable:"), kib(text, "Swap:")), (Some(12 << 10), None));
    }
}
