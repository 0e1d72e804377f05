//! Faults that are in force only during a part of the fault phase. The extension does not know
//! about it: outside its part a fault is not in the plan.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use faults::Fault;

/// The parts by fault name; a fault without one is in force for the whole phase. Times count from
/// the phase's start.
#[derive(Debug, Clone, Default)]
pub struct Windows(HashMap<String, Range<Duration>>);

impl Windows {
    /// Sets the part of the fault called `name`.
    pub fn insert(&mut self, name: &str, window: Range<Duration>) {
        self.0.insert(name.to_owned(), window);
    }

    /// Whether every fault is in force for the whole phase.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the fault called `name` should be in force `at` this time.
    pub fn is_open(&self, name: &str, at: Duration) -> bool {
        self.0.get(name).is_none_or(|window| window.contains(&at))
    }

    /// Whether it was certainly in force: at least `margin` away from both ends, because a plan
    /// takes a moment to reach every environment.
    pub fn is_surely_open(&self, name: &str, at: Duration, margin: Duration) -> bool {
        self.0.get(name).is_none_or(|window| window.start + margin <= at && at + margin < window.end)
    }

    /// The faults that should be in force `at` this time.
    pub fn open(&self, faults: &[Fault], at: Duration) -> Vec<Fault> {
        faults.iter().filter(|fault| self.is_open(&fault.name, at)).cloned().collect()
    }
}
