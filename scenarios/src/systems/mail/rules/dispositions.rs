//! The outcome of each mail, and the table of the report. It judges nothing.

use std::collections::HashSet;
use std::time::Duration;

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table};

use super::rested::Sent;
use crate::exchange::{Disposition, Expected, Mail};
use crate::invariants::table as count;

/// A mail that a server accepted, and its outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'a> {
    pub(crate) mail: &'a Mail,
    /// The id of the queue message about it, if one was seen.
    pub(crate) message: Option<&'a str>,
    /// Its first disposition, and when that was.
    pub(crate) first: Option<(Duration, Disposition)>,
    /// How many different dispositions it has.
    pub(crate) ends: usize,
    /// Whether a reader was addressed again, or a notice published again.
    pub(crate) came_again: bool,
    /// Whether its message was deleted from the queue, as after success.
    pub(crate) is_acknowledged: bool,
}

impl Account<'_> {
    fn is(&self, disposition: Disposition) -> bool {
        self.first.is_some_and(|(_, first)| first == disposition)
    }

    /// Whether it may still end.
    pub(crate) fn is_under_way(&self) -> bool {
        self.first.is_none() && !self.is_acknowledged
    }
}

/// When the last of its readers was first addressed; if no reader is expected, when any address was
/// first used.
pub(super) fn delivered(expected: &Expected, sent: &[Sent]) -> Option<Duration> {
    let first = |reader: &String| sent.iter().filter(|sent| sent.to.contains(reader)).map(|sent| sent.at).min();
    match expected {
        Expected::Delivered { readers } => readers.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max(),
        Expected::Fallback | Expected::DeadLetter | Expected::Refused => {
            sent.iter().filter(|sent| !sent.to.is_empty()).map(|sent| sent.at).min()
        }
    }
}

/// Whether any reader was addressed more than once.
pub(super) fn came_again(sent: &[Sent]) -> bool {
    let mut addressed = HashSet::new();
    !sent.iter().flat_map(|sent| &sent.to).all(|to| addressed.insert(to))
}

/// `taken` counts all mails that a server reports as accepted; `unheard` counts those of them whose
/// sender was not told.
pub(super) fn table(accounts: &[(ArmTag, Account<'_>)], taken: u64, unheard: u64) -> Table {
    let mut table = count(
        "mails",
        accounts,
        &[
            ("delivered to all readers", |mail| mail.is(Disposition::Delivered)),
            ("told to the fallback topic", |mail| mail.is(Disposition::Fallback)),
            ("in the dead-letter queue", |mail| mail.is(Disposition::DeadLetter)),
            ("expired in the queue", |mail| mail.is(Disposition::Expired)),
            ("acknowledged and lost", |mail| mail.first.is_none() && mail.is_acknowledged),
            ("in flight", Account::is_under_way),
        ],
        &[("some reader or notice twice", |mail| mail.came_again), ("two ends", |mail| mail.ends > 1)],
    );
    table.taken = taken;
    table.ends.push(Row { what: "taken, and the sender not told".to_owned(), neither: unheard, ..Row::default() });
    table
}
