//! B-2: what the table allows is never answered 403 where no fault explains it.

use std::sync::Arc;

use crate::Event;

use super::denials::{Denial, Denials};
use crate::invariants::cedar::ClinicOracle;
use crate::invariants::{Breach, Invariant, Quiet};

pub(crate) struct NeverWronglyCloses {
    denials: Denials,
}

impl NeverWronglyCloses {
    pub(crate) fn new(oracle: Arc<ClinicOracle>) -> Self {
        Self { denials: Denials::new(oracle) }
    }
}

fn unexplained(denials: Vec<Denial>) -> Vec<Breach> {
    denials.into_iter().filter(|denial| !denial.explained).map(|denial| denial.breach).collect()
}

impl Invariant for NeverWronglyCloses {
    fn id(&self) -> &'static str {
        "B-2"
    }

    fn rule(&self) -> &'static str {
        "what the clinic's table allows is never answered 403, also for the second request of one token"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let count = match event {
            Event::Exchange(exchange) => u64::from(exchange.decision().is_some() && self.denials.allowed(exchange).is_some()),
            _ => 0,
        };
        (unexplained(self.denials.see(event)), count)
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        (unexplained(self.denials.settled(quiet)), 0)
    }
}
