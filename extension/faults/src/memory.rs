//! What one environment remembers about a run: how often each fault has struck, and which burst is
//! in progress. It must store nothing else.

use std::collections::HashMap;

use crate::kinds::Kind;
use crate::plan::Fault;

/// The memory of one environment. Another run begins with an empty one.
#[derive(Debug, Default)]
pub struct Memory {
    run: String,
    faults: HashMap<String, Remembered>,
}

#[derive(Debug, Default)]
struct Remembered {
    struck: u64,
    burst_left: u32,
}

impl Memory {
    /// Starts again if `run` is another one.
    pub(crate) fn of_run(&mut self, run: &str) {
        if self.run != run {
            *self = Self { run: run.to_owned(), faults: HashMap::new() };
        }
    }

    /// Whether `fault` has reached its limit of strikes.
    pub(crate) fn is_exhausted(&self, fault: &Fault) -> bool {
        fault.at_most.is_some_and(|most| self.faults.get(&fault.name).is_some_and(|remembered| remembered.struck >= most))
    }

    /// Whether the invocation is struck: by its own roll or because it is within a burst. Remembers it.
    pub(crate) fn strikes(&mut self, fault: &Fault, rolled: bool) -> bool {
        let burst = if let Kind::Throttle(burst) = &fault.kind { burst.burst } else { 1 };
        let in_burst = self.faults.get(&fault.name).is_some_and(|remembered| remembered.burst_left > 0);
        if !rolled && !in_burst {
            return false;
        }
        let remembered = self.faults.entry(fault.name.clone()).or_default();
        remembered.burst_left = if remembered.burst_left > 0 { remembered.burst_left - 1 } else { burst.saturating_sub(1) };
        remembered.struck += 1;
        true
    }
}
