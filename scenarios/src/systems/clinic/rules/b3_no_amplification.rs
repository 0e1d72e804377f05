//! B-3: a short fault harms only the requests in flight during it: no 403 afterwards on a token that it touched, no 5xx once it is calm.
//! It judges only requests of a kind that was answered 200 before: what never worked was not harmed by the fault.

use std::sync::Arc;
use std::time::Duration;

use crate::Event;

use super::denials::{Denial, Denials};
use crate::invariants::cedar::ClinicOracle;
use crate::invariants::{Breach, Invariant, Quiet, wording};

/// What was in flight when the faults were calmed has come to its end after this.
const AFTER_CALM: Duration = Duration::from_secs(5);

pub(crate) struct NoAmplification {
    denials: Denials,
    calmed: Option<Duration>,
}

impl NoAmplification {
    pub(crate) fn new(oracle: Arc<ClinicOracle>) -> Self {
        Self { denials: Denials::new(oracle), calmed: None }
    }
}

fn explained(denials: Vec<Denial>) -> Vec<Breach> {
    denials.into_iter().filter(|denial| denial.explained).map(|denial| denial.breach).collect()
}

impl Invariant for NoAmplification {
    fn id(&self) -> &'static str {
        "B-3"
    }

    fn rule(&self) -> &'static str {
        "a short fault of a dependency harms only the requests in flight during it"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let mut breaches = explained(self.denials.see(event));
        let mut count = breaches.len() as u64;
        match event {
            Event::Calmed { at } => self.calmed = Some(*at),
            Event::Exchange(exchange) => {
                let calm = self.calmed.is_some_and(|calmed| exchange.sent > calmed + AFTER_CALM) && self.denials.any_touched();
                let judged = (calm || !exchange.struck.is_empty()) && exchange.status.is_some() && exchange.status != Some(403);
                if judged
                    && let Some((kind, why)) = self.denials.allowed(exchange)
                    && self.denials.was_well(&kind, exchange.sent)
                {
                    count += 1;
                    if calm && exchange.status.is_some_and(|status| status >= 500) {
                        breaches.push(wording::breach(exchange, format!("200: no fault has been in force for 5 s; {why}")));
                    }
                }
            }
            _ => {}
        }
        (breaches, count)
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        let breaches = explained(self.denials.settled(quiet));
        let count = breaches.len() as u64;
        (breaches, count)
    }
}
