//! Checks that the ledgers report every invocation that a fault was about. A missing one counts
//! against the fault: a lost line, or an environment that never read the plan, must not look like a
//! request that no fault was about.

use std::time::Duration;

use faults::ledger::Eligible;
use faults::{Arm, Facts, Fault, Identity, Kind, Place, Trigger};
use reports::{FaultSet, Outcome, Phase, Rolls};
use scenarios::Exchange;

use super::{Join, is_struck};
use crate::plan::Plan;

/// The fewest requests of an endpoint in the baseline that show whether a fault would be about all
/// of them.
const FEWEST_TO_EXPECT: u64 = 20;

/// How early or late a fault that begins or ends within the phase may be.
const MARGIN: Duration = Duration::from_secs(2);

/// The number of requests of an endpoint in the baseline, and of those that a fault would have been
/// about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rehearsed {
    requests: u64,
    about: u64,
}

/// Whether a ledger has reported a fault before anything is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It does not have to.
    Needless,
    /// It must, and has not done so yet.
    NotYet,
    /// It has.
    Yes,
}

impl Heard {
    /// A deployed function that requests invoke must report, if the requests show whether a fault
    /// is about them.
    pub(super) fn of(plan: &Plan, fault: &Fault) -> Self {
        let (Place::Function(name), Some(deployed)) = (&fault.place, &plan.deployed) else { return Self::Needless };
        let by_requests = |trigger: &Trigger| *trigger == Trigger::Http;
        let function = deployed.function(name);
        let is_invoked = function.is_some_and(|function| function.triggers.is_empty() || function.triggers.iter().any(by_requests));
        if is_invoked && is_known_to_the_sender(fault) { Self::NotYet } else { Self::Needless }
    }
}

impl Join {
    /// Records that a line of the baseline about this fault has come.
    pub(super) fn hear(&mut self, fault: &str) {
        if let Some(heard) = self.index(fault).and_then(|index| self.heard.get_mut(index)) {
            *heard = Heard::Yes;
        }
    }

    /// The functions whose ledger should have reported something in the baseline and has not; empty
    /// if there was no rehearsal.
    pub fn silent(&self) -> Vec<String> {
        if self.rehearsal.is_none() {
            return Vec::new();
        }
        let silent = self.faults.iter().zip(&self.heard).filter(|(_, heard)| **heard == Heard::NotYet);
        let mut names: Vec<_> = silent.map(|(fault, _)| format!("`{}`", fault.place)).collect();
        names.dedup();
        names
    }

    /// Learns which endpoints a fault is about: from the baseline, or, without a rehearsal, from
    /// the faults themselves.
    pub(super) fn rehearse(&mut self, exchange: &Exchange) {
        let learns = match self.rehearsal {
            Some(_) => exchange.phase == Some(Phase::Baseline),
            None => matches!(exchange.phase, None | Some(Phase::Fault)),
        };
        if !learns {
            return;
        }
        let about = self.rolls(&exchange.root).about;
        for index in 0..self.faults.len() {
            let told = self.rehearsed.entry((exchange.endpoint, index)).or_default();
            told.requests += 1;
            told.about += u64::from(about.has(index));
        }
    }

    /// Counts the invocations of this exchange that a fault should have been about and no ledger
    /// reports, and computes their rolls.
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

    /// Whether the baseline shows that the fault is about every request of the endpoint, and
    /// nothing kept this one from its place. Lines may be missing in the baseline too, so for a
    /// function that serves all requests or none, one line is enough.
    fn is_expected(&self, index: usize, exchange: &Exchange, lines: &[Eligible]) -> bool {
        let told = self.rehearsed.get(&(exchange.endpoint, index)).copied().unwrap_or_default();
        let serves_all = self.serves_all.get(index).copied().unwrap_or_default();
        let is_about_all = told.requests >= FEWEST_TO_EXPECT && (told.about == told.requests || (serves_all && told.about > 0));
        is_about_all && exchange.outcome == Outcome::Answered && !lines.iter().any(is_struck)
    }
}

/// Whether method and path are enough to know if a request's invocation is eligible.
fn is_known_to_the_sender(fault: &Fault) -> bool {
    fault.when.is_known_to_the_sender() && fault.at_most.is_none() && fault.cases.is_none() && !matches!(fault.kind, Kind::Init(_))
}
