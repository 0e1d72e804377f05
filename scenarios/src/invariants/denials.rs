//! Wrong 403s of the clinic and whether a fault had touched their token, for B-2 and B-3: exactly one of them names each.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stack::world::clinic::{REVOCABLE, User};

use crate::Event;
use crate::exchange::{Asked, ClinicToken, Exchange};
use crate::right::names;

use super::cedar::ClinicOracle;
use super::{Breach, Quiet, wording};

/// The exchange that a fault struck may be heard of later than the one that was answered from its cached denial.
const HEARD_LATE: Duration = Duration::from_secs(31);

/// Whether the header names the pool that `user` signs in with.
pub(super) fn right_client(user: User, client_type: Option<&str>) -> bool {
    client_type.is_some_and(|given| names(given, user.pool))
}

/// A wrong 403.
pub(super) struct Denial {
    token: u64,
    done: Duration,
    /// What to tell of it.
    pub(super) breach: Breach,
    /// Whether a fault had touched its token.
    pub(super) touched: bool,
}

/// Watches tokens.
pub(super) struct Denials {
    oracle: Arc<ClinicOracle>,
    /// When the first exchange of a token that a fault struck was sent.
    touched: HashMap<u64, Duration>,
    pending: VecDeque<Denial>,
    clock: Duration,
}

impl Denials {
    pub(super) fn new(oracle: Arc<ClinicOracle>) -> Self {
        Self { oracle, touched: HashMap::new(), pending: VecDeque::new(), clock: Duration::ZERO }
    }

    /// The token of an exchange that the table allows, and why it does.
    pub(super) fn allowed(&self, exchange: &Exchange) -> Option<(u64, String)> {
        let Asked::Clinic { token: ClinicToken::Valid { user, id }, client_type, appointment } = &exchange.asked else { return None };
        // The one whose owner changes is looked at by its own probe.
        if !right_client(*user, *client_type) || appointment == REVOCABLE.id {
            return None;
        }
        let ruling = self.oracle.rule(*user, exchange.method, appointment);
        ruling.allowed.then_some((*id, ruling.why))
    }

    /// The wrong 403s that can be told now.
    pub(super) fn see(&mut self, event: &Event) -> Vec<Denial> {
        self.clock = self.clock.max(event.at());
        if let Event::Exchange(exchange) = event {
            self.see_exchange(exchange);
        }
        let until = self.clock.saturating_sub(HEARD_LATE);
        self.told(|denial, nothing_struck| nothing_struck || denial.done <= until)
    }

    /// All that are left.
    pub(super) fn settled(&mut self, _quiet: &Quiet) -> Vec<Denial> {
        self.told(|_, _| true)
    }

    fn see_exchange(&mut self, exchange: &Exchange) {
        let Asked::Clinic { token: ClinicToken::Valid { id, .. }, .. } = &exchange.asked else { return };
        if !exchange.struck.is_empty() {
            let first = self.touched.entry(*id).or_insert(exchange.sent);
            *first = exchange.sent.min(*first);
        }
        if exchange.status != Some(403) {
            return;
        }
        if let Some((token, why)) = self.allowed(exchange) {
            let expected = format!("200, or 5xx where a dependency fails; {why}; {}", wording::struck(exchange));
            self.pending.push_back(Denial { token, done: exchange.done, breach: wording::breach(exchange, expected), touched: false });
        }
    }

    fn told(&mut self, decidable: impl Fn(&Denial, bool) -> bool) -> Vec<Denial> {
        // Before anything was struck there is nothing to wait for: the baseline is told at once.
        let nothing_struck = self.touched.is_empty();
        let mut told = Vec::new();
        for mut denial in std::mem::take(&mut self.pending) {
            denial.touched = self.touched.get(&denial.token).is_some_and(|sent| *sent <= denial.done);
            if denial.touched || decidable(&denial, nothing_struck) {
                told.push(denial);
            } else {
                self.pending.push_back(denial);
            }
        }
        told
    }
}
