//! every change of `desired` belongs to one allowed request. Tries again and lost acknowledgements are the same request.

use std::sync::Arc;

use crate::Event;

use super::register::{Finding, Register};
use crate::invariants::cedar::ThermostatOracle;
use crate::invariants::{Breach, Invariant, Quiet};

pub(crate) struct OneChangeOneRequest {
    register: Register,
    told: u64,
}

impl OneChangeOneRequest {
    pub(crate) fn new(oracle: Arc<ThermostatOracle>) -> Self {
        Self { register: Register::new(oracle), told: 0 }
    }

    fn tell(&mut self, found: Vec<Finding>) -> (Vec<Breach>, u64) {
        let count = self.register.changes_judged - self.told;
        self.told = self.register.changes_judged;
        let breaches = found.into_iter().filter_map(|finding| match finding {
            Finding::NoRequest(breach) => Some(breach),
            Finding::Lost(_) => None,
        });
        (breaches.collect(), count)
    }
}

impl Invariant for OneChangeOneRequest {
    fn id(&self) -> &'static str {
        "A-2"
    }

    fn rule(&self) -> &'static str {
        "every change of desired belongs to one allowed request"
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
