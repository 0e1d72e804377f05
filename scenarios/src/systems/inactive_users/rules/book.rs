//! What happened to each member, as reported by the services and by the harness for acts by hand. A
//! fact is judged once everything about its time is known; it is kept for as long as a later fact
//! may depend on it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use crate::systems::inactive_users::{TABLE, sub};
use reports::{ArmTag, Dispositions as Table, Outcome};
use run_folder::Seen;

use super::dispositions::{self, Expired, Expiry, SignIn};
use super::fact::Fact;
use crate::Event;
use crate::exchange::{Asked, ByHand, Exchange, SignInBy};
use crate::invariants::{ArmOf, Book, Breach, Ended, Found, Quiet, Rule};
use crate::strike::{Handler, Struck};

/// The functions that record sign-ins and disable members, and the services that they call.
const FUNCTIONS: [&str; 2] = ["record-sign-in", "prune-users"];
const SERVICES: [&str; 2] = ["dynamodb", "cognito-idp"];
/// The only call whose quota a run can use up.
pub(crate) const DISABLE: &str = "AdminDisableUser";
/// The harness learns from three sides, which may be out of order by a second; after this time
/// everything is known.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// How far ahead one of two services' facts about the same moment may be.
pub(crate) const SLACK: Duration = Duration::from_millis(500);
/// Sign-in times are in whole seconds: the row of a newer sign-in in the same second may have been
/// written this much earlier.
pub(crate) const ONE_SECOND: Duration = Duration::from_secs(1);
/// An older fact is kept only if it is the newest of its kind.
const MEMORY: Duration = Duration::from_secs(120);
/// The oldest strikes and refusals are forgotten beyond this number.
const MOST: usize = 10_000;

/// What happened to one member, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) user: Option<String>,
    facts: Vec<(Duration, Fact)>,
}

/// A fact that can now be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// The member's key.
    pub(crate) sub: String,
    pub(crate) at: Duration,
    pub(crate) fact: Fact,
}

/// What can be judged: facts, oldest first, and sign-ins by password.
#[derive(Debug, Default)]
pub(crate) struct Ripe {
    pub(crate) due: Vec<Due>,
    pub(crate) sign_ins: Vec<Exchange>,
}

/// The histories of all members, by the keys of their rows.
#[derive(Default)]
pub(crate) struct MemberBook {
    pub(crate) members: HashMap<String, History>,
    due: VecDeque<Due>,
    /// Sign-ins by password that are not judged yet.
    pending: VecDeque<Exchange>,
    /// The outcome of each sign-in, by the root of its trace.
    sign_ins: Vec<(String, SignIn)>,
    ended: Option<Ended>,
    strikes: VecDeque<Struck>,
    /// When AdminDisableUser was refused because of its quota.
    refusals: VecDeque<Duration>,
    pub(crate) clock: Duration,
}

impl Book for MemberBook {
    type Ripe = Ripe;

    fn see(&mut self, event: &Event) -> Ripe {
        self.clock = self.clock.max(event.at());
        self.ended = None;
        match event {
            Event::Exchange(exchange) => {
                let by_password = matches!(exchange.asked, Asked::SignIn { by: SignInBy::Password, .. });
                self.pending.extend(by_password.then(|| (**exchange).clone()));
            }
            Event::Saw { at, seen } => self.saw(*at, seen),
            Event::RowSeeded { user, at, .. } => self.of_user(user, *at, Fact::Seeded),
            Event::ByHand { user, at, act } => {
                let fact = match act {
                    ByHand::RowDeleted => Fact::RowDeleted,
                    ByHand::Enabled => Fact::EnabledByHand,
                    ByHand::MemberDeleted => Fact::Removed,
                };
                self.of_user(user, *at, fact);
            }
            Event::Struck(struck) if FUNCTIONS.iter().any(|function| struck.concerns(function, &SERVICES)) => {
                keep(&mut self.strikes, (**struck).clone());
            }
            _ => {}
        }
        self.ripe(self.clock.checked_sub(GRACE))
    }

    fn settled(&mut self, _quiet: &Quiet) -> Ripe {
        self.ripe(Some(Duration::MAX))
    }

    fn ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    fn under_way(&self) -> usize {
        self.expiries().filter(|expiry| expiry.end == Expired::InFlight).count()
    }

    fn unfinished(&self) -> Vec<Ended> {
        let never = |expiry: &Expiry| matches!(expiry.end, Expired::InFlight | Expired::GivenUp);
        self.expiries().filter(never).map(|expiry| pruned(expiry.at, None)).collect()
    }

    fn tables(&self, arm: ArmOf<'_>) -> Vec<Table> {
        let sign_ins: Vec<_> = self.sign_ins.iter().map(|(root, sign_in)| (arm(root), *sign_in)).collect();
        // A fault strikes a batch as a whole, and only the function knows which records were in it,
        // so no record has an arm.
        let expiries: Vec<_> = self.expiries().map(|expiry| (ArmTag::Untouched, expiry.end)).collect();
        vec![dispositions::sign_ins(&sign_ins), dispositions::expiries(&expiries)]
    }
}

/// From the end of a row until its member is disabled.
fn pruned(expired: Duration, end: Option<(Duration, Outcome)>) -> Ended {
    Ended { endpoint: "inactive-users expiry -> disabled", identity: None, due: expired, since: expired, end }
}

impl MemberBook {
    /// Every row that expired, and what happened to its member.
    pub(crate) fn expiries(&self) -> impl Iterator<Item = Expiry> {
        self.members.values().flat_map(|history| dispositions::of_member(&history.facts))
    }

    /// The outcome of a sign-in, once everything about its time is known.
    fn sign_in(&self, exchange: &Exchange) -> SignIn {
        let Asked::SignIn { user, .. } = &exchange.asked else { return SignIn::Failed };
        let (from, until) = (exchange.sent.saturating_sub(ONE_SECOND), exchange.done);
        let written = |history: &History| history.any(from, until, |fact| matches!(fact, Fact::Written { .. }));
        match exchange.status {
            Some(200) if self.history(&sub(user)).is_some_and(written) => SignIn::Recorded,
            Some(200) => SignIn::Lost,
            Some(..500) => SignIn::Refused,
            _ => SignIn::Failed,
        }
    }

    pub(crate) fn history(&self, sub: &str) -> Option<&History> {
        self.members.get(sub)
    }

    /// A member's name if it is known, else the key.
    pub(crate) fn name<'a>(&'a self, sub: &'a str) -> &'a str {
        self.members.get(sub).and_then(|history| history.user.as_deref()).unwrap_or(sub)
    }

    /// How many faults struck within a span of time, with an outcome for the handler that `what`
    /// accepts.
    pub(crate) fn strikes(&self, from: Duration, until: Duration, what: impl Fn(Handler) -> bool) -> usize {
        self.strikes.iter().filter(|struck| (from..=until).contains(&struck.at) && what(struck.handler())).count()
    }

    /// How often AdminDisableUser was refused because of its quota within a span of time.
    pub(crate) fn refusals(&self, from: Duration, until: Duration) -> usize {
        self.refusals.iter().filter(|at| (from..=until).contains(*at)).count()
    }

    fn saw(&mut self, at: Duration, seen: &Seen) {
        match seen {
            Seen::RowWritten { table, key, expires, .. } if table == TABLE => self.fact(key, at, Fact::Written { expires: *expires }),
            Seen::RowDeleted { table, key } if table == TABLE => self.fact(key, at, Fact::RowDeleted),
            Seen::RowExpired { table, key, .. } if table == TABLE => self.fact(key, at, Fact::Expired),
            Seen::StreamGivenUp { table, keys, to, message } if table == TABLE => {
                let kept = to.is_some() && message.is_some();
                keys.iter().for_each(|key| self.fact(key, at, Fact::GivenUp { kept }));
            }
            Seen::SignedIn { user, .. } => self.of_user(user, at, Fact::SignedIn),
            Seen::UserDisabled { user, .. } => {
                let expired = self.history(&sub(user)).and_then(|history| history.open_expiry(at));
                self.ended = expired.map(|expired| pruned(expired, Some((at, Outcome::Answered))));
                self.of_user(user, at, Fact::Disabled);
            }
            Seen::UserEnabled { user, .. } => self.of_user(user, at, Fact::Enabled),
            Seen::QuotaExceeded { operation } if operation == DISABLE => keep(&mut self.refusals, at),
            _ => {}
        }
    }

    fn of_user(&mut self, user: &str, at: Duration, fact: Fact) {
        let key = sub(user);
        self.fact(&key, at, fact);
        if let Some(history) = self.members.get_mut(&key) {
            history.user.get_or_insert_with(|| user.to_owned());
        }
    }

    fn fact(&mut self, key: &str, at: Duration, fact: Fact) {
        self.members.entry(key.to_owned()).or_default().add(at, fact, self.clock);
        let place = self.due.partition_point(|due| due.at <= at);
        self.due.insert(place, Due { sub: key.to_owned(), at, fact });
    }

    fn ripe(&mut self, until: Option<Duration>) -> Ripe {
        let Some(until) = until else { return Ripe::default() };
        let ripe = self.due.partition_point(|due| due.at <= until);
        let due = self.due.drain(..ripe).collect();
        let mut sign_ins = Vec::new();
        while let Some(exchange) = self.pending.pop_front_if(|exchange| exchange.done <= until) {
            self.sign_ins.push((exchange.root.clone(), self.sign_in(&exchange)));
            sign_ins.push(exchange);
        }
        Ripe { due, sign_ins }
    }
}

fn keep<T>(all: &mut VecDeque<T>, one: T) {
    all.push_back(one);
    if all.len() > MOST {
        all.pop_front();
    }
}

impl History {
    fn add(&mut self, at: Duration, fact: Fact, clock: Duration) {
        let place = self.facts.partition_point(|(known, _)| *known <= at);
        self.facts.insert(place, (at, fact));
        // Sweep only when the history has doubled since the last sweep.
        if self.facts.len() >= 32 && self.facts.len().is_power_of_two() {
            self.forget(clock.saturating_sub(MEMORY));
        }
    }

    /// Forgets old facts, except the newest of each kind and those that decide the outcome of an
    /// expiry.
    fn forget(&mut self, old: Duration) {
        let mut kinds: HashSet<Discriminant<Fact>> = HashSet::new();
        let told: Vec<_> = dispositions::decisive(&self.facts);
        let facts = std::mem::take(&mut self.facts).into_iter().zip(told).rev();
        let kept = facts.filter(|((at, fact), decisive)| kinds.insert(discriminant(fact)) || *at > old || *decisive);
        self.facts = kept.map(|(fact, _)| fact).collect();
        self.facts.reverse();
    }

    /// When the row expired, unless the member has been disabled since.
    fn open_expiry(&self, until: Duration) -> Option<Duration> {
        let expired = self.last(Duration::MAX, |fact| *fact == Fact::Expired)?;
        (!self.any(expired, until, |fact| *fact == Fact::Disabled)).then_some(expired)
    }

    /// When something of this kind last happened, up to `until`.
    pub(crate) fn last(&self, until: Duration, is: impl Fn(&Fact) -> bool) -> Option<Duration> {
        self.facts.iter().rev().find(|(at, fact)| *at <= until && is(fact)).map(|(at, _)| *at)
    }

    /// Whether something of this kind happened from `from` until `until`.
    pub(crate) fn any(&self, from: Duration, until: Duration, is: impl Fn(&Fact) -> bool) -> bool {
        self.facts.iter().any(|(at, fact)| (from..=until).contains(at) && is(fact))
    }

    /// The end of the row before the write of `fact` at `at`; `None` if there was no row.
    pub(crate) fn row_before(&self, at: Duration, fact: Fact) -> Option<i64> {
        let written = self.facts.iter().position(|known| *known == (at, fact))?;
        let before = self.facts.get(..written)?.iter().rev();
        before
            .map_while(|(_, fact)| match fact {
                Fact::RowDeleted | Fact::Expired => None,
                Fact::Written { expires } => Some(*expires),
                _ => Some(None),
            })
            .find_map(|expires| expires)
    }
}

/// A rule about single facts: which of them are checks, and what is wrong with one.
pub(crate) fn each(
    id: &'static str,
    text: &'static str,
    is_check: fn(&Fact) -> bool,
    wrong: fn(&MemberBook, &Due) -> Option<Breach>,
) -> Rule<MemberBook> {
    Rule::<MemberBook>::new(id, text, move |book, ripe, _| judge(book, &ripe.due, is_check, wrong))
}

/// The same, for a rule that looks at more than single facts.
pub(crate) fn judge(book: &MemberBook, due: &[Due], is_check: fn(&Fact) -> bool, wrong: fn(&MemberBook, &Due) -> Option<Breach>) -> Found {
    let checks = due.iter().filter(|due| is_check(&due.fact)).count() as u64;
    (due.iter().filter_map(|due| wrong(book, due)).collect(), checks)
}

/// Whether an attempt may have ended in the middle of its work.
pub(crate) const fn unsure(handler: Handler) -> bool {
    matches!(handler, Handler::Unsure | Handler::Misled)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::s;

    #[test]
    fn a_fact_is_judged_once_when_everything_about_its_time_is_known() {
        let mut book = MemberBook::default();
        let events = Life::new(1).written(1.0, 100).signed_in(1.1).expired(3.0).events();
        let early: Vec<_> = events.iter().flat_map(|event| book.see(event).due).collect();
        assert_eq!(early, []);
        let due = book.see(&Life::tick(4.05)).due;
        assert_eq!(due.iter().map(|due| due.fact).collect::<Vec<_>>(), [Fact::Written { expires: Some(100) }]);
        assert_eq!(book.settled(&Quiet::default()).due.iter().map(|due| due.fact).collect::<Vec<_>>(), [Fact::SignedIn, Fact::Expired]);
        assert_eq!(book.settled(&Quiet::default()).due, []);
        let key = sub(&Life::name(1));
        assert_eq!(book.name(&key), Life::name(1));
        assert_eq!(book.name("unheard-of"), "unheard-of");
    }

    #[test]
    fn the_value_of_a_row_is_known_until_the_row_goes() {
        let life =
            Life::new(1).written(1.0, 100).written(2.0, 90).signed_in(2.1).expired(3.0).written(4.0, 80).row_deleted(5.0).written(6.0, 70);
        let mut book = MemberBook::default();
        life.events().iter().for_each(|event| drop(book.see(event)));
        let history = book.history(&sub(&Life::name(1))).unwrap();
        for (at, expires, before) in [(1.0, 100, None), (2.0, 90, Some(100)), (4.0, 80, None), (6.0, 70, None)] {
            assert_eq!(history.row_before(s(at), Fact::Written { expires: Some(expires) }), before, "{at}");
        }
    }

    #[test]
    fn a_history_does_not_grow_without_bound() {
        let mut book = MemberBook::default();
        let mut life = Life::new(1).disabled(0.5);
        for n in 0..5_000_i64 {
            life = life.written(n as f64, n).signed_in(n as f64 + 0.1);
        }
        life.events().iter().for_each(|event| drop(book.see(event)));
        let history = book.history(&sub(&Life::name(1))).unwrap();
        assert!(history.facts.len() < 1_100, "{}", history.facts.len());
        assert!(history.any(Duration::ZERO, s(1.0), |fact| *fact == Fact::Disabled));
    }
}
