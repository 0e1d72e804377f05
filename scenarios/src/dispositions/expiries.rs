//! The books of expiries: each row whose time to live was over joined with what was done about its member.

use std::collections::HashMap;
use std::time::Duration;

use crate::systems::inactive_users::{TABLE, sub};
use run_folder::Seen;

use super::Unfinished;
use crate::Event;
use crate::exchange::ByHand;

/// A row that came to its end and what became of its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired<'a> {
    /// The row's key, the member's `sub`.
    pub key: &'a str,
    /// The event id of the stream's record.
    pub event: &'a str,
    /// When the row was deleted.
    pub at: Duration,
    /// What became of the member, and when.
    pub fate: ExpiryFate,
    /// When that was; `None` for what was so before, and where it is not known yet.
    pub ended: Option<Duration>,
}

/// What became of a member whose row expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExpiryFate {
    /// Disabled.
    Disabled,
    /// The record could not be processed and was given up.
    GivenUp,
    /// There was no such member any more.
    Gone,
    /// The member signed in again first.
    ActiveAgain,
    /// Nothing so far.
    InFlight,
}

/// Expired rows by what became of their members: `expired` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpiryBooks {
    /// Rows whose time to live was over.
    pub expired: u64,
    /// Their members were disabled.
    pub disabled: u64,
    /// Their records were given up.
    pub given_up: u64,
    /// Their members were gone.
    pub gone: u64,
    /// Their members had signed in again.
    pub active_again: u64,
    /// Nothing became of them so far.
    pub in_flight: u64,
}

impl ExpiryBooks {
    /// Adds the accounts up, such as those of one arm.
    pub fn of<'a>(accounts: impl Iterator<Item = Expired<'a>>) -> Self {
        accounts.fold(Self::default(), |mut books, account| {
            books.expired += 1;
            *match account.fate {
                ExpiryFate::Disabled => &mut books.disabled,
                ExpiryFate::GivenUp => &mut books.given_up,
                ExpiryFate::Gone => &mut books.gone,
                ExpiryFate::ActiveAgain => &mut books.active_again,
                ExpiryFate::InFlight => &mut books.in_flight,
            } += 1;
            books
        })
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    expired: Vec<(String, Duration, String)>,
    members: HashMap<String, Member>,
}

/// What was seen of one member, by `sub`.
#[derive(Debug, Default)]
struct Member {
    expired: Vec<Duration>,
    disabled: Vec<Duration>,
    given_up: Vec<Duration>,
    written: Vec<Duration>,
    deleted: Vec<Duration>,
}

impl Expiries {
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::ByHand { user, at, act: ByHand::MemberDeleted } => self.member(sub(user)).deleted.push(*at),
            Event::Saw { at, seen } => self.saw(*at, seen),
            _ => {}
        }
    }

    fn saw(&mut self, at: Duration, seen: &Seen) {
        match seen {
            Seen::RowExpired { table, key, event } if table == TABLE => {
                self.expired.push((key.clone(), at, event.clone()));
                self.member(key.clone()).expired.push(at);
            }
            Seen::RowWritten { table, key, .. } if table == TABLE => self.member(key.clone()).written.push(at),
            Seen::UserDisabled { user, .. } => self.member(sub(user)).disabled.push(at),
            Seen::StreamGivenUp { table, keys, .. } if table == TABLE => {
                for key in keys {
                    self.member(key.clone()).given_up.push(at);
                }
            }
            _ => {}
        }
    }

    fn member(&mut self, key: String) -> &mut Member {
        self.members.entry(key).or_default()
    }

    pub(super) fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        let never = |fate| matches!(fate, ExpiryFate::InFlight | ExpiryFate::GivenUp);
        self.accounts()
            .filter(move |expired| never(expired.fate))
            .map(|expired| Unfinished::Expiry { key: expired.key.to_owned(), expired: expired.at })
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = Expired<'_>> {
        self.expired.iter().map(|(key, at, event)| {
            let (fate, ended) = self.members.get(key).map_or((ExpiryFate::InFlight, None), |member| member.fate(*at));
            Expired { key, event, at: *at, fate, ended }
        })
    }
}

impl Member {
    /// What became of the expiry at `at`: whatever is seen before the next one belongs to it.
    fn fate(&self, at: Duration) -> (ExpiryFate, Option<Duration>) {
        let next = self.expired.iter().filter(|other| **other > at).min().copied().unwrap_or(Duration::MAX);
        let first = |times: &[Duration]| times.iter().filter(|time| (at..next).contains(*time)).min().copied();
        let seen = [(&self.disabled, ExpiryFate::Disabled), (&self.given_up, ExpiryFate::GivenUp)];
        for (times, fate) in seen {
            if let Some(ended) = first(times) {
                return (fate, Some(ended));
            }
        }
        if self.deleted.iter().any(|deleted| *deleted < next) {
            return (ExpiryFate::Gone, None);
        }
        first(&self.written).map_or((ExpiryFate::InFlight, None), |ended| (ExpiryFate::ActiveAgain, Some(ended)))
    }
}
