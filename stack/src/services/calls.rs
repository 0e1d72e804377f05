//! Counts the calls of a run's requests, which tells a retry of a call from the first attempt. It
//! decides nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A root is forgotten this long after its first call: no request, and no retry of a queue's
/// message, lasts longer.
const MEMORY: Duration = Duration::from_secs(20 * 60);

/// The most roots kept, some 30 MB; the oldest is dropped first.
const MOST: usize = 200_000;

/// The calls of one run by their root and by the fault that applies to them. Another run starts
/// with an empty count.
#[derive(Debug, Default)]
pub struct Calls {
    run: String,
    roots: HashMap<Arc<str>, Vec<(String, u32)>>,
    /// The roots by the time of their first call.
    order: VecDeque<(Instant, Arc<str>)>,
}

impl Calls {
    /// Counts a call with `root` that `fault` applies to; returns its number from 1.
    pub fn count(&mut self, run: &str, root: &str, fault: &str, now: Instant) -> u32 {
        if self.run != run {
            *self = Self { run: run.to_owned(), ..Self::default() };
        }
        if !self.roots.contains_key(root) {
            self.forget(now);
            let root: Arc<str> = root.into();
            self.order.push_back((now, Arc::clone(&root)));
            self.roots.insert(root, Vec::new());
        }
        let Some(faults) = self.roots.get_mut(root) else { return 1 };
        match faults.iter_mut().find(|(name, _)| name == fault) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                faults.push((fault.to_owned(), 1));
                1
            }
        }
    }

    /// Makes room for another root.
    fn forget(&mut self, now: Instant) {
        let is_old = |since: &Instant| now.saturating_duration_since(*since) >= MEMORY;
        while self.order.len() >= MOST || self.order.front().is_some_and(|(since, _)| is_old(since)) {
            let Some((_, root)) = self.order.pop_front() else { return };
            self.roots.remove(&root);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_root_and_by_fault_and_anew_in_another_run() {
        let (mut calls, now) = (Calls::default(), Instant::now());
        for (run, root, fault, number) in [
            ("one", "a", "f", 1),
            ("one", "a", "f", 2),
            ("one", "b", "f", 1),
            ("one", "a", "g", 1),
            ("one", "a", "f", 3),
            ("two", "a", "f", 1),
        ] {
            assert_eq!(calls.count(run, root, fault, now), number, "{run} {root} {fault}");
        }
    }

    #[test]
    fn a_root_is_forgotten_when_it_is_old_or_when_there_are_too_many() {
        let (mut calls, now) = (Calls::default(), Instant::now());
        calls.count("r", "old", "f", now);
        calls.count("r", "young", "f", now + MEMORY / 2);
        calls.count("r", "new", "f", now + MEMORY);
        assert_eq!(calls.count("r", "young", "f", now + MEMORY), 2);
        assert_eq!(calls.count("r", "old", "f", now + MEMORY), 1);
        for n in 0..MOST {
            calls.count("r", &n.to_string(), "f", now + MEMORY);
        }
        assert_eq!((calls.roots.len(), calls.order.len()), (MOST, MOST));
        assert_eq!(calls.count("r", "0", "f", now + MEMORY), 2);
        assert_eq!(calls.count("r", "young", "f", now + MEMORY), 1);
    }
}
