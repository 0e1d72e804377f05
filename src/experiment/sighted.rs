//! What the services saw, brought into the run: events for the oracles, ends of mails and records the moment they are known, and tables at the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table};
use scenarios::Event;
use scenarios::dispositions::{Dispositions, ExpiryFate, SignInFate};
use scenarios::exchange::Disposition;
use scenarios::links::Links;
use stack::sightings::monotonic_us;
use stack::world::inactive_users::{TABLE, sub};
use stack::{Seen, Sighting};

use super::join::Join;

/// What is known of mails, sign-ins and expiries.
pub struct Sighted {
    /// Offset 0 on the services' clock.
    zero_us: u64,
    fold: Dispositions,
    /// When the record of a member, by its key, ended; until the member is disabled.
    ended: HashMap<String, Duration>,
    /// The links that were sent.
    pub links: Links,
}

impl Sighted {
    /// Nothing yet; `started` is offset 0.
    pub fn new(started: Instant) -> Self {
        let since = u64::try_from(started.elapsed().as_micros()).unwrap_or_default();
        let zero_us = monotonic_us().saturating_sub(since);
        Self { zero_us, fold: Dispositions::default(), ended: HashMap::new(), links: Links::default() }
    }

    /// A sighting as an event. What was seen before offset 0 counts as seen then.
    pub fn event(&self, sighting: Sighting) -> Event {
        Event::Saw { at: Duration::from_micros(sighting.at_us.saturating_sub(self.zero_us)), seen: sighting.seen }
    }

    /// Takes what happened; what is known by it comes back as events of their own.
    pub fn see(&mut self, event: &Event) -> Vec<Event> {
        self.links.see(event);
        let disposed = self.fold.see(event).into_iter().map(|disposed| Event::Disposed(Box::new(disposed)));
        disposed.chain(self.pruned(event)).collect()
    }

    fn pruned(&mut self, event: &Event) -> Option<Event> {
        let Event::Saw { at, seen } = event else { return None };
        match seen {
            Seen::RowExpired { table, key, .. } if table == TABLE => {
                self.ended.insert(key.clone(), *at);
                None
            }
            Seen::UserDisabled { user, .. } => {
                self.ended.remove(&sub(user)).map(|expired| Event::Pruned { user: user.clone(), expired, at: *at })
            }
            _ => None,
        }
    }

    /// Mails and ended records of which nothing has become yet.
    pub fn in_flight(&self) -> usize {
        let mails = self.fold.mails().filter(|account| account.mail.id.is_some() && account.first.is_none() && !account.acknowledged);
        mails.count() + self.fold.expiries().filter(|expired| expired.fate == ExpiryFate::InFlight).count()
    }

    /// What became of everything, by arm; a table for each kind of thing of which there was one.
    pub fn tables(&self, join: &Join) -> Vec<Table> {
        [self.mails(join), self.sign_ins(join), self.expiries()].into_iter().filter(|table| table.taken > 0).collect()
    }

    fn mails(&self, join: &Join) -> Table {
        let mut table = Sheet::new(
            "mails",
            [
                "delivered to all readers",
                "told to the fallback topic",
                "in the dead-letter queue",
                "expired in the queue",
                "acknowledged and lost",
                "in flight",
            ],
            ["some reader or notice twice", "two ends"],
        );
        for account in self.fold.mails().filter(|account| account.mail.id.is_some()) {
            let arm = account.message.map_or(ArmTag::Untouched, |message| join.arm(message));
            let end = match account.first {
                Some((_, Disposition::Delivered)) => 0,
                Some((_, Disposition::Fallback)) => 1,
                Some((_, Disposition::DeadLetter)) => 2,
                Some((_, Disposition::Expired)) => 3,
                None if account.acknowledged => 4,
                None => 5,
            };
            table.end(end, arm);
            table.of_these(0, account.duplicates > 0, arm);
            table.of_these(1, account.dispositions.len() > 1, arm);
        }
        table.0
    }

    fn sign_ins(&self, join: &Join) -> Table {
        let mut table = Sheet::new("sign-ins by password", ["granted and recorded", "granted and not recorded", "refused", "failed"], []);
        for account in self.fold.sign_ins() {
            let end = match account.fate {
                SignInFate::Recorded => 0,
                SignInFate::Lost => 1,
                SignInFate::Refused => 2,
                SignInFate::Failed => 3,
            };
            table.end(end, join.arm(account.root));
        }
        table.0
    }

    fn expiries(&self) -> Table {
        let mut table = Sheet::new(
            "records that ended",
            [
                "the member was disabled",
                "given up, in the queue for failures",
                "the member was gone",
                "the member had signed in again",
                "in flight",
            ],
            [],
        );
        for account in self.fold.expiries() {
            let end = match account.fate {
                ExpiryFate::Disabled => 0,
                ExpiryFate::GivenUp => 1,
                ExpiryFate::Gone => 2,
                ExpiryFate::ActiveAgain => 3,
                ExpiryFate::InFlight => 4,
            };
            // A batch is struck as a whole, and who was in it only the function knows.
            table.end(end, ArmTag::Untouched);
        }
        table.0
    }
}

/// A table that is being filled.
struct Sheet(Table);

impl Sheet {
    fn new<const N: usize, const M: usize>(of: &str, ends: [&str; N], of_these: [&str; M]) -> Self {
        Self(Table { of: of.to_owned(), taken: 0, ends: ends.map(Row::new).into(), of_these: of_these.map(Row::new).into() })
    }

    fn end(&mut self, end: usize, arm: ArmTag) {
        self.0.taken += 1;
        if let Some(row) = self.0.ends.get_mut(end) {
            row.add(arm);
        }
    }

    fn of_these(&mut self, which: usize, counts: bool, arm: ArmTag) {
        if let Some(row) = self.0.of_these.get_mut(which).filter(|_| counts) {
            row.add(arm);
        }
    }
}
