//! an acknowledged Set, or a later one, stands in `desired` from 5 s after its acknowledgement on.

use std::sync::Arc;

use crate::Event;

use super::register::{Finding, Register};
use crate::invariants::cedar::ThermostatOracle;
use crate::invariants::{Breach, Invariant, Quiet};

pub(crate) struct AcknowledgedIsDesired {
    register: Register,
    told: u64,
}

impl AcknowledgedIsDesired {
    pub(crate) fn new(oracle: Arc<ThermostatOracle>) -> Self {
        Self { register: Register::new(oracle), told: 0 }
    }

    fn tell(&mut self, found: Vec<Finding>) -> (Vec<Breach>, u64) {
        let count = self.register.sets_judged - self.told;
        self.told = self.register.sets_judged;
        let breaches = found.into_iter().filter_map(|finding| match finding {
            Finding::Lost(breach) => Some(breach),
            Finding::NoRequest(_) => None,
        });
        (breaches.collect(), count)
    }
}

impl Invariant for AcknowledgedIsDesired {
    fn id(&self) -> &'static str {
        "A-3"
    }

    fn rule(&self) -> &'static str {
        "an acknowledged Set, or a later one, is in desired within 5 s"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let found = self.register.see(event);
        self.tell(found)
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        let found = self.register.settled(quiet);
        self.tell(found)
    }
}
