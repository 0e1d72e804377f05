//! Wrong 403s of the clinic and whether a fault explains them, for B-2 and B-3: exactly one of the
//! two reports each.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::systems::clinic::{REVOCABLE, User};

use crate::Event;
use crate::exchange::{Asked, ClinicToken, Exchange};
use crate::right::names;

use crate::invariants::cedar::ClinicOracle;
use crate::invariants::{Book, Breach, Quiet, wording};

/// The harness may learn of the exchange that a fault struck later than of the one that was
/// answered from its cached denial.
const HEARD_LATE: Duration = Duration::from_secs(31);

/// Whether the header names the pool that `user` signs in with.
pub(crate) fn right_client(user: User, client_type: Option<&str>) -> bool {
    client_type.is_some_and(|given| names(given, user.pool))
}

/// What makes two requests of one kind: the same user asks for the same appointment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestKind {
    user: User,
    appointment: String,
}

/// A wrong 403.
pub(crate) struct Denial {
    token: u64,
    kind: RequestKind,
    sent: Duration,
    done: Duration,
    /// What to report about it.
    pub(crate) breach: Breach,
    /// Whether a fault explains it: a fault struck its token, and requests of its kind were
    /// answered 200 before.
    pub(crate) explained: bool,
}

/// When requests of a kind were answered 200.
struct Well {
    /// When the first was.
    since: Duration,
    /// When the last of them was sent.
    last_sent: Duration,
}

/// Tracks the tokens.
pub(crate) struct Denials {
    pub(crate) oracle: ClinicOracle,
    /// For each token that a fault struck: when its first struck exchange was sent.
    touched: HashMap<u64, Duration>,
    /// The requests of a kind that were answered 200.
    well: HashMap<RequestKind, Well>,
    pending: VecDeque<Denial>,
    clock: Duration,
}

impl Book for Denials {
    type Ripe = Vec<Denial>;

    /// The wrong 403s that can be judged now.
    fn see(&mut self, event: &Event) -> Vec<Denial> {
        self.clock = self.clock.max(event.at());
        if let Event::Exchange(exchange) = event {
            self.see_exchange(exchange);
        }
        let until = self.clock.saturating_sub(HEARD_LATE);
        self.told(|denial, nothing_struck| nothing_struck || denial.done <= until)
    }

    fn settled(&mut self, _quiet: &Quiet) -> Vec<Denial> {
        self.told(|_, _| true)
    }
}

impl Denials {
    pub(crate) fn new(oracle: ClinicOracle) -> Self {
        Self { oracle, touched: HashMap::new(), well: HashMap::new(), pending: VecDeque::new(), clock: Duration::ZERO }
    }

    /// The kind of an exchange that the table allows, and why it is allowed.
    pub(crate) fn allowed(&self, exchange: &Exchange) -> Option<(RequestKind, String)> {
        let Asked::Clinic { token: ClinicToken::Valid { user, .. }, client_type, appointment } = &exchange.asked else { return None };
        // A probe of its own checks the appointment whose owner changes.
        if !right_client(*user, *client_type) || appointment == REVOCABLE.id {
            return None;
        }
        let ruling = self.oracle.rule(*user, exchange.method, appointment);
        ruling.allowed.then(|| (RequestKind { user: *user, appointment: appointment.clone() }, ruling.why))
    }

    /// Whether a request of this kind had been answered 200 by `until`.
    pub(crate) fn was_well(&self, kind: &RequestKind, until: Duration) -> bool {
        self.well.get(kind).is_some_and(|well| well.since <= until)
    }

    /// Whether a request of this kind was sent after `from` and answered 200.
    pub(crate) fn is_well_since(&self, kind: &RequestKind, from: Duration) -> bool {
        self.well.get(kind).is_some_and(|well| well.last_sent > from)
    }

    /// Whether a fault has struck any request with a valid token.
    pub(crate) fn any_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    fn see_exchange(&mut self, exchange: &Exchange) {
        let Asked::Clinic { token: ClinicToken::Valid { id, .. }, .. } = &exchange.asked else { return };
        let (token, sent, done) = (*id, exchange.sent, exchange.done);
        if !exchange.struck.is_empty() {
            let first = self.touched.entry(token).or_insert(sent);
            *first = sent.min(*first);
        }
        if !matches!(exchange.status, Some(200 | 403)) {
            return;
        }
        let Some((kind, why)) = self.allowed(exchange) else { return };
        if exchange.status == Some(200) {
            let well = self.well.entry(kind).or_insert(Well { since: done, last_sent: sent });
            *well = Well { since: done.min(well.since), last_sent: sent.max(well.last_sent) };
        } else {
            let expected = format!("200, or 5xx where a dependency fails; {why}; {}", wording::struck(exchange));
            let breach = wording::breach(exchange, expected);
            self.pending.push_back(Denial { token, kind, sent, done, breach, explained: false });
        }
    }

    fn told(&mut self, decidable: impl Fn(&Denial, bool) -> bool) -> Vec<Denial> {
        // Before the first strike there is nothing to wait for: the baseline is judged at once.
        let nothing_struck = self.touched.is_empty();
        let mut told = Vec::new();
        for mut denial in std::mem::take(&mut self.pending) {
            let touched = self.touched.get(&denial.token).is_some_and(|sent| *sent <= denial.done);
            denial.explained = touched && self.was_well(&denial.kind, denial.sent);
            if denial.explained || decidable(&denial, nothing_struck) {
                told.push(denial);
            } else {
                self.pending.push_back(denial);
            }
        }
        told
    }
}
