//! Keeps a plan in force for as long as the harness lives, and no longer: each plan carries a lease, and each renewal a higher sequence.

use std::time::{Duration, Instant};

use faults::plan::VERSION;
use faults::{Fault, Lease, Plan};

/// Writes the plans of one run.
#[derive(Debug)]
pub struct Keeper {
    run: String,
    seed: u64,
    faults: Vec<Fault>,
    lease: Lease,
    sequence: u64,
    renewed: Option<Instant>,
}

impl Keeper {
    /// A keeper of `faults`; nothing is in force yet.
    pub fn new(run: String, seed: u64, faults: Vec<Fault>, lease: Lease) -> Self {
        Self { run, seed, faults, lease, sequence: 0, renewed: None }
    }

    /// The plan that puts the faults in force, or keeps them there.
    pub fn strike(&mut self, now: Instant) -> Plan {
        self.renewed = Some(now);
        let faults = self.faults.clone();
        self.next(faults)
    }

    /// The plan that ends them.
    pub fn calm(&mut self) -> Plan {
        self.renewed = None;
        self.next(Vec::new())
    }

    /// Whether the lease is to be renewed: a quarter of it has passed since the last time.
    pub fn is_due(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now.duration_since(at) >= self.every())
    }

    fn every(&self) -> Duration {
        self.lease.duration() / 4
    }

    fn next(&mut self, faults: Vec<Fault>) -> Plan {
        self.sequence += 1;
        Plan { version: VERSION, run: self.run.clone(), sequence: self.sequence, lease_ms: self.lease, seed: self.seed, faults }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_four_times_in_its_length_with_a_rising_sequence_and_never_after_the_calm() {
        let start = Instant::now();
        let mut keeper = Keeper::new("r".into(), 1, Vec::new(), Lease::try_from(4_000).unwrap());
        assert!(!keeper.is_due(start));
        assert_eq!(keeper.strike(start).sequence, 1);
        assert!(!keeper.is_due(start + Duration::from_millis(999)));
        assert!(keeper.is_due(start + Duration::from_secs(1)));
        assert_eq!(keeper.strike(start + Duration::from_secs(1)).sequence, 2);
        assert_eq!(keeper.calm().sequence, 3);
        assert!(!keeper.is_due(start + Duration::from_secs(60)));
    }
}
