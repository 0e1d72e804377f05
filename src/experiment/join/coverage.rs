//! Whether the ledgers tell of every invocation that a fault was about. What they do not tell of counts against the fault: a line that was lost, or
//! an environment that never read the plan, must not look like a request that no fault was about.

use std::time::Duration;

use faults::ledger::Eligible;
use faults::{Arm, Facts, Fault, Identity, Kind, Place};
use reports::{FaultSet, Outcome, Phase, Rolls};
use scenarios::Exchange;

use super::{Join, is_struck};

/// Fewer requests of an endpoint in the baseline do not tell whether a fault would be about all of them.
const FEWEST_TO_EXPECT: u64 = 20;

/// A fault that begins or ends within the phase may be early or late by this.
const MARGIN: Duration = Duration::from_secs(2);

/// How many requests of an endpoint there were in the baseline, and of how many a fault would have been about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rehearsed {
    requests: u64,
    about: u64,
}

impl Join {
    /// Learns in the baseline which endpoints a fault is about.
    pub(super) fn rehearse(&mut self, exchange: &Exchange) {
        if exchange.phase != Some(Phase::Baseline) || self.rehearsal.is_none() {
            return;
        }
        let about = self.rolls(&exchange.root).about;
        for index in 0..self.faults.len() {
            let told = self.rehearsed.entry((exchange.endpoint, index)).or_default();
            told.requests += 1;
            told.about += u64::from(about.has(index));
        }
    }

    /// Counts the invocations of this exchange that a fault should have been about and no ledger tells of, and rolls the dice for them.
    pub(super) fn miss(&mut self, exchange: &Exchange) -> Rolls {
        let mut rolls = Rolls::NONE;
        // A late request may have been due in the fault phase and sent after the calm.
        if exchange.phase != Some(Phase::Fault) || exchange.sent >= self.calm_at {
            return rolls;
        }
        let at = exchange.sent.saturating_sub(self.fault_from);
        let missed: FaultSet =
            (0..self.faults.len()).filter(|index| self.is_missed(*index, exchange, at)).fold(FaultSet::default(), |mut set, index| {
                set.insert(index);
                set
            });
        for (index, (fault, book)) in self.faults.iter().zip(&mut self.books).enumerate().filter(|(index, _)| missed.has(*index)) {
            let is_struck = fault.decide(self.seed, Identity(&exchange.root)).arm == Arm::Treatment;
            book.eligible += 1;
            book.unknown += 1;
            book.planned += u64::from(is_struck);
            rolls.about.insert(index);
            if is_struck {
                rolls.struck.insert(index);
            }
        }
        rolls
    }

    fn is_missed(&self, index: usize, exchange: &Exchange, at: Duration) -> bool {
        let Some(fault) = self.faults.get(index) else { return false };
        let Place::Function(function) = &fault.place else { return false };
        if !is_known_to_the_sender(fault) || !self.windows.is_surely_open(&fault.name, at, MARGIN) {
            return false;
        }
        if !fault.when.matches(&Facts::of_request(exchange.method, &exchange.path)) {
            return false;
        }
        let root = self.roots.get(&exchange.root);
        let lines = root.map(|root| root.eligible.as_slice()).unwrap_or_default();
        if lines.iter().any(|line| line.fault == fault.name && !self.is_rehearsal(line.sequence)) {
            return false;
        }
        let was_invoked = root.is_some_and(|root| root.invoked.contains(function));
        was_invoked || self.is_expected(index, exchange, lines)
    }

    /// Whether the baseline tells that the fault is about every request of the endpoint, and nothing kept this one from its place. Lines may have
    /// been lost and plans unread in the baseline as well, so of a function that serves all requests or none one line tells it.
    fn is_expected(&self, index: usize, exchange: &Exchange, lines: &[Eligible]) -> bool {
        let told = self.rehearsed.get(&(exchange.endpoint, index)).copied().unwrap_or_default();
        let serves_all = self.serves_all.get(index).copied().unwrap_or_default();
        let is_about_all = told.requests >= FEWEST_TO_EXPECT && (told.about == told.requests || (serves_all && told.about > 0));
        is_about_all && exchange.outcome == Outcome::Answered && !lines.iter().any(is_struck)
    }
}

/// Whether method and path tell if a request's invocation is eligible.
fn is_known_to_the_sender(fault: &Fault) -> bool {
    fault.when.is_known_to_the_sender() && fault.at_most.is_none() && !matches!(fault.kind, Kind::Init(_))
}
