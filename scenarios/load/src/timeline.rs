//! When each phase begins. Offsets count from the first arrival of the warm-up.

use std::time::Duration;

use reports::Phase;

/// The lengths of the phases, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// Traffic flows, nothing is recorded.
    pub warm_up: Duration,
    /// No fault.
    pub baseline: Duration,
    /// From the strike until its effect is sure; not recorded.
    pub arming: Duration,
    /// Faults in force.
    pub fault: Duration,
    /// After the calm.
    pub recovery: Duration,
}

impl Timeline {
    /// The phase in which something due at `offset` falls; `None` while arming and after the end.
    pub fn phase_at(&self, offset: Duration) -> Option<Phase> {
        if offset < self.warm_up {
            Some(Phase::WarmUp)
        } else if offset < self.strike_at() {
            Some(Phase::Baseline)
        } else if offset < self.fault_from() {
            None
        } else if offset < self.calm_at() {
            Some(Phase::Fault)
        } else if offset < self.end() {
            Some(Phase::Recovery)
        } else {
            None
        }
    }

    /// Whether it goes on after the baseline; load alone does not.
    pub fn has_faults(&self) -> bool {
        !self.fault.is_zero()
    }

    /// When the baseline, and with it the recording, begins.
    pub fn recording_from(&self) -> Duration {
        self.warm_up
    }

    /// When the phase begins on which aims are judged: with faults, or of load alone, the only one.
    pub fn judged_from(&self) -> Duration {
        if self.has_faults() { self.fault_from() } else { self.warm_up }
    }

    /// When that phase ends.
    pub fn judged_to(&self) -> Duration {
        if self.has_faults() { self.calm_at() } else { self.strike_at() }
    }

    /// When the plan is to be struck.
    pub fn strike_at(&self) -> Duration {
        self.warm_up + self.baseline
    }

    /// When the fault phase begins.
    pub fn fault_from(&self) -> Duration {
        self.strike_at() + self.arming
    }

    /// When the fault phase ends and everything is to be calmed.
    pub fn calm_at(&self) -> Duration {
        self.fault_from() + self.fault
    }

    /// When the last arrival is due.
    pub fn end(&self) -> Duration {
        self.calm_at() + self.recovery
    }
}
