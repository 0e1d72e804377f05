//! Keeps a plan in force only while the harness lives. Each plan contains a lease and its end by
//! the wall clock, so that an environment that starts later does not begin the lease again. Each
//! renewal has a higher sequence.

use std::time::{Duration, Instant, SystemTime};

use faults::plan::{READ_AT_LAST_EVERY, VERSION};
use faults::{Fault, Lease, Plan, Share};

use super::windows::Windows;

/// Writes the plans of one run.
#[derive(Debug)]
pub struct Keeper {
    run: String,
    seed: u64,
    faults: Vec<Fault>,
    windows: Windows,
    lease: Lease,
    sequence: u64,
    in_force: InForce,
    renewed: Option<Renewed>,
}

/// What should be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InForce {
    /// Nothing.
    Calm,
    /// All faults with a share of 0: nothing is injected, and the ledgers report what could be.
    Rehearsal,
    /// The faults, with a fault phase that begins at this time.
    Struck(Instant),
}

/// The plan that was written last.
#[derive(Debug)]
struct Renewed {
    at: Instant,
    faults: Vec<String>,
}

impl Keeper {
    /// A keeper of `faults`; nothing is in force yet.
    pub fn new(run: String, seed: u64, faults: Vec<Fault>, windows: Windows, lease: Lease) -> Self {
        Self { run, seed, faults, windows, lease, sequence: 0, in_force: InForce::Calm, renewed: None }
    }

    /// The plan before anything is rehearsed or struck. It is calm but still renewed, so that
    /// extensions look often for the next one.
    pub fn begin(&mut self, now: Instant) -> Plan {
        self.renew(now)
    }

    /// The longest time until a running environment reads a plan that is written at `now`.
    /// Environments look often during a lease, and less and less often after it.
    pub fn unread_for(&self, now: Instant) -> Duration {
        let runs = self.renewed.as_ref().is_some_and(|last| now.duration_since(last.at) < self.lease.duration());
        if runs { Duration::ZERO } else { READ_AT_LAST_EVERY }
    }

    /// The plan that puts the faults in force, of a fault phase that begins at `phase_from`.
    pub fn strike(&mut self, now: Instant, phase_from: Instant) -> Plan {
        self.in_force = InForce::Struck(phase_from);
        self.renew(now)
    }

    /// The plan of the baseline: it injects nothing, and the ledgers report which invocations the
    /// faults would be about.
    pub fn rehearse(&mut self, now: Instant) -> Plan {
        self.in_force = InForce::Rehearsal;
        self.renew(now)
    }

    /// Whether the last plan is a rehearsal.
    pub fn is_rehearsal(&self) -> bool {
        self.in_force == InForce::Rehearsal
    }

    /// The plan that keeps in force what should be in force now.
    pub fn renew(&mut self, now: Instant) -> Plan {
        let faults = self.open(now);
        self.renewed = Some(Renewed { at: now, faults: names(&faults) });
        self.next(faults)
    }

    fn open(&self, now: Instant) -> Vec<Fault> {
        match self.in_force {
            InForce::Calm => Vec::new(),
            InForce::Rehearsal => self.faults.iter().map(|fault| Fault { share: Share::NONE, ..fault.clone() }).collect(),
            InForce::Struck(from) => self.windows.open(&self.faults, now.saturating_duration_since(from)),
        }
    }

    /// The plan that ends the faults.
    pub fn calm(&mut self) -> Plan {
        self.in_force = InForce::Calm;
        self.renewed = None;
        self.next(Vec::new())
    }

    /// Whether a plan is due: a quarter of the lease has passed since the last one, or other faults
    /// should be in force.
    pub fn is_due(&self, now: Instant) -> bool {
        let renewed = self.renewed.as_ref();
        renewed.is_some_and(|last| now.duration_since(last.at) >= self.every() || last.faults != names(&self.open(now)))
    }

    fn every(&self) -> Duration {
        self.lease.duration() / 4
    }

    fn next(&mut self, faults: Vec<Fault>) -> Plan {
        self.sequence += 1;
        let (version, run, sequence) = (VERSION, self.run.clone(), self.sequence);
        let mut plan = Plan { version, run, sequence, lease_ms: self.lease, until_ms: None, seed: self.seed, faults };
        plan.begin_lease(SystemTime::now());
        plan
    }
}

fn names(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(|fault| fault.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_four_times_in_its_length_with_a_rising_sequence_and_never_after_the_calm() {
        let start = Instant::now();
        let mut keeper = Keeper::new("r".into(), 1, Vec::new(), Windows::default(), Lease::try_from(4_000).unwrap());
        assert!(!keeper.is_due(start));
        assert_eq!(keeper.strike(start, start).sequence, 1);
        assert!(!keeper.is_due(start + Duration::from_millis(999)));
        assert!(keeper.is_due(start + Duration::from_secs(1)));
        assert_eq!(keeper.renew(start + Duration::from_secs(1)).sequence, 2);
        assert_eq!(keeper.calm().sequence, 3);
        assert!(!keeper.is_due(start + Duration::from_secs(60)));
    }

    #[test]
    fn an_environment_that_reads_a_plan_later_has_only_the_rest_of_its_lease() {
        let fault = serde_json::from_str(r#"{"name":"f","place":{"function":"a"},"share":1,"kind":{"again":{}}}"#).unwrap();
        let mut keeper = Keeper::new("r".into(), 1, vec![fault], Windows::default(), Lease::try_from(60_000).unwrap());
        let (wall, now) = (SystemTime::now(), Instant::now());
        for plan in [keeper.strike(now, now), keeper.renew(now), keeper.rehearse(now)] {
            let left = plan.left(None, wall + Duration::from_secs(20)).unwrap();
            assert!((39..=60).contains(&left.as_secs()), "{left:?}");
            // The harness is killed now; an environment that starts after the lease reads this.
            assert_eq!(plan.left(None, SystemTime::now() + Duration::from_secs(60)), Some(Duration::ZERO));
        }
    }

    #[test]
    fn a_calm_plan_is_renewed_before_the_strike_and_not_after_the_calm() {
        let start = Instant::now();
        let mut keeper = Keeper::new("r".into(), 1, Vec::new(), Windows::default(), Lease::try_from(4_000).unwrap());
        assert_eq!(keeper.begin(start).sequence, 1);
        assert!(!keeper.is_due(start + Duration::from_millis(999)) && keeper.is_due(start + Duration::from_secs(1)));
        let renewed = keeper.renew(start + Duration::from_secs(1));
        assert!(renewed.sequence == 2 && renewed.faults.is_empty() && !keeper.is_rehearsal());
        let after = |ms| keeper.unread_for(start + Duration::from_secs(1) + Duration::from_millis(ms));
        assert_eq!((after(3_999), after(4_000)), (Duration::ZERO, Duration::from_secs(60)));
        keeper.calm();
        assert!(!keeper.is_due(start + Duration::from_secs(60)));
    }

    #[test]
    fn a_fault_is_in_the_plan_only_during_its_part_of_the_phase() {
        let start = Instant::now();
        let fault = serde_json::from_str(r#"{"name":"f","place":{"function":"a"},"share":1,"kind":{"again":{}}}"#).unwrap();
        let mut windows = Windows::default();
        windows.insert("f", Duration::from_secs(2)..Duration::from_secs(3));
        let mut keeper = Keeper::new("r".into(), 1, vec![fault], windows, Lease::try_from(60_000).unwrap());
        let rehearsal = keeper.rehearse(start);
        assert!(rehearsal.faults.len() == 1 && rehearsal.faults[0].share == Share::NONE && keeper.is_rehearsal(), "{rehearsal:?}");
        assert!(!keeper.is_due(start + Duration::from_secs(14)) && keeper.is_due(start + Duration::from_secs(15)));
        assert_eq!(keeper.strike(start, start).faults.len(), 0);
        for (at, due, faults) in [(1_000, false, 0), (2_000, true, 1), (2_500, false, 1), (3_000, true, 0)] {
            let now = start + Duration::from_millis(at);
            assert_eq!(keeper.is_due(now), due, "{at}");
            assert_eq!(keeper.renew(now).faults.len(), faults, "{at}");
        }
    }
}
