//! A plan in force and the end of its lease, on both clocks: neither a clock that jumps nor a
//! snapshot of the environment may lengthen it.

use std::ops::Add;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use faults::ledger::Name;
use faults::{Places, Plan};

/// One moment on both clocks. The monotonic one never jumps, but stops in a snapshot; the wall clock does the opposite.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// On the monotonic clock.
    pub steady: Instant,
    /// On the wall clock.
    pub wall: SystemTime,
}

impl Moment {
    /// The current moment.
    pub fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self { steady: self.steady + span, wall: self.wall.checked_add(span).unwrap_or(self.wall) }
    }
}

/// A plan and the end of its lease.
#[derive(Debug)]
pub struct InForce {
    /// The plan.
    pub plan: Plan,
    /// When its lease ends.
    pub ends: Moment,
    /// The names of its faults, in its order.
    pub names: Vec<Name>,
    /// The places of an event that are needed to decide, computed once.
    places: OnceLock<Places>,
}

impl InForce {
    /// A plan whose lease ends at this moment.
    pub fn new(plan: Plan, ends: Moment) -> Self {
        let names = plan.faults.iter().map(|fault| Name::from(&fault.name)).collect();
        Self { plan, ends, names, places: OnceLock::new() }
    }

    /// The places of the function's event that are needed to decide. An environment has one
    /// function.
    pub fn places(&self, function: &str) -> &Places {
        self.places.get_or_init(|| self.plan.places(function))
    }

    /// Whether its lease still runs at `now`. It has ended if either clock says so.
    pub fn holds(&self, now: Moment) -> bool {
        now.steady < self.ends.steady && now.wall < self.ends.wall
    }

    /// Whether it has this run's fault in force at `now`.
    pub fn strikes_with(&self, run: &str, fault: &str, now: Moment) -> bool {
        self.holds(now) && self.plan.run == run && self.plan.strikes_with(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_when_either_clock_says_so() {
        let json = r#"{"version":1,"run":"r","sequence":1,"lease_ms":5000,"seed":7,"faults":[]}"#;
        let now = Moment::now();
        let in_force = InForce::new(Plan::read(json.as_bytes()).unwrap(), now + Duration::from_secs(5));
        let at = |steady: u64, wall: u64| Moment {
            steady: now.steady + Duration::from_secs(steady),
            wall: now.wall + Duration::from_secs(wall),
        };
        assert!(in_force.holds(now) && in_force.holds(at(4, 4)));
        // The lease has run out; the environment was a snapshot for a week; the wall clock was set
        // back.
        assert!(!in_force.holds(at(5, 5)) && !in_force.holds(at(0, 604_800)) && !in_force.holds(at(5, 0)));
    }
}
