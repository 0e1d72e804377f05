//! Adds to each event what the ledgers report about its trace.

use std::time::Instant;

use faults::{Arm, Identity, Roll};
use reports::Rolls;
use scenarios::Event;

use super::{Join, Joined, Traced};

impl Join {
    pub(super) fn joined(&mut self, event: Event, now: Instant) -> Joined {
        match event {
            Event::Exchange(mut exchange) => {
                self.rehearse(&exchange);
                let missed = self.miss(&exchange);
                exchange.struck = self.struck_on(&exchange.root);
                let identity = exchange.root.clone();
                self.root(identity.clone(), now).judged = true;
                self.with_rolls(Event::Exchange(exchange), &identity, missed)
            }
            event => Joined { event, traced: Traced::default() },
        }
    }

    /// `missed` are the rolls of faults that no ledger reports.
    fn with_rolls(&self, event: Event, identity: &str, missed: Rolls) -> Joined {
        let mut traced = self.traced(identity);
        let rolls = &mut traced.rolls;
        for index in 0..self.faults.len() {
            if missed.about.has(index) {
                rolls.about.insert(index);
            }
            if missed.struck.has(index) {
                rolls.struck.insert(index);
                rolls.first.insert(index);
            }
        }
        Joined { event, traced }
    }

    /// What the ledgers report about a request, a message or a record.
    pub fn traced(&self, identity: &str) -> Traced {
        let half = Roll::new(self.seed, "control-half", Identity(identity)).unit() < 0.5;
        Traced { rolls: self.rolls(identity), cold: self.roots.get(identity).is_some_and(|root| root.cold), half }
    }

    /// The rolls of a request or a message, as the ledgers report them.
    pub(super) fn rolls(&self, identity: &str) -> Rolls {
        let mut rolls = Rolls::NONE;
        let lines = self.roots.get(identity).map(|root| root.eligible.as_slice()).unwrap_or_default();
        for line in lines {
            let Some(index) = self.index(&line.fault) else { continue };
            rolls.about.insert(index);
            if line.arm == Arm::Treatment {
                rolls.struck.insert(index);
                if line.call == 1 {
                    rolls.first.insert(index);
                }
            }
        }
        rolls
    }

    pub(super) fn index(&self, fault: &str) -> Option<usize> {
        self.faults.iter().position(|known| known.name == fault)
    }
}
