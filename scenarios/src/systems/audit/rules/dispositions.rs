//! The outcome of each audit record, and the tables of the report. It judges nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use reports::{ArmTag, Dispositions as Table};

use super::known::{Answer, Known, NoticeKind};
use crate::exchange::Verdict;
use crate::invariants::table;

/// A request with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asker {
    /// The root of its trace.
    pub(crate) root: String,
    pub(crate) due: Duration,
    pub(crate) done: Duration,
}

/// What is kept of a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    first: Option<Asker>,
    /// The first request that was answered 200.
    pub(crate) accepted: Option<Asker>,
    is_unknown: bool,
    repeats: bool,
    is_sent_again: bool,
    is_stored: bool,
    notices: BTreeSet<NoticeKind>,
    /// When its final notice was published.
    completed: Option<Duration>,
    /// When it reached the dead-letter queue.
    dead: Option<Duration>,
    started: usize,
    ended: usize,
    /// Whether its first end was reported.
    pub(crate) is_told: bool,
}

/// A record that was sent, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    /// The trace root of the request that identifies it: the first that was accepted, else the
    /// first.
    pub(crate) root: String,
    /// What its sender knows: accepted by any answer, or else unknown by any, or else refused.
    pub(crate) verdict: Verdict,
    pub(crate) fate: Fate,
    /// Another arrival sent it too.
    repeats: bool,
    /// It was sent again because an answer did not settle it.
    is_sent_again: bool,
    /// It was given up although everything was done, or completed although it was given up.
    both_ends: bool,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Archived, with its four notices.
    Archived,
    /// In the dead-letter queue.
    DeadLetter,
    /// Its executions have ended, and it is neither archived nor in the dead-letter queue.
    Lost,
    /// An execution is under way, or none was seen so far.
    InFlight,
}

impl Way {
    /// Adds what became known later to what was known before.
    pub(super) fn then(mut self, known: &Known) -> Self {
        let asker = |answer: &Answer| Asker { root: answer.root.clone(), due: answer.due, done: answer.done };
        let (answers, completed) = (&known.answers, |kind: Option<NoticeKind>| kind == Some(NoticeKind::Completed));
        self.first = self.first.or_else(|| answers.first().map(asker));
        self.accepted = self.accepted.or_else(|| answers.iter().find(|answer| answer.verdict() == Verdict::Accepted).map(asker));
        self.is_unknown |= answers.iter().any(|answer| answer.verdict() == Verdict::Unknown);
        self.repeats |= answers.iter().any(|answer| answer.record.repeats && answer.record.attempt == 0);
        self.is_sent_again |= answers.iter().any(|answer| answer.record.attempt > 0);
        self.is_stored |= !known.stored.is_empty();
        self.notices.extend(known.notices.iter().filter_map(|notice| notice.kind));
        self.completed = self.completed.or_else(|| known.notices.iter().find(|notice| completed(notice.kind)).map(|notice| notice.at));
        self.dead = self.dead.or_else(|| known.dead.first().copied());
        self.started += known.executions.len();
        self.ended += known.executions.iter().filter(|execution| execution.ended.is_some()).count();
        self.is_told |= known.is_told;
        self
    }

    /// Its first end, and whether that was the right one.
    pub(super) fn end(&self) -> Option<(Duration, bool)> {
        let (completed, dead) = (self.completed.map(|at| (at, true)), self.dead.map(|at| (at, false)));
        completed.into_iter().chain(dead).min_by_key(|(at, _)| *at)
    }

    /// Whether it was accepted, without an execution or an end so far.
    pub(super) fn is_waited_for(&self) -> bool {
        self.accepted.is_some() && self.started == 0 && self.end().is_none()
    }

    /// `None` if no request of the run carried it.
    pub(super) fn account(&self) -> Option<Account> {
        let root = self.accepted.as_ref().or(self.first.as_ref())?.root.clone();
        let verdict = match (&self.accepted, self.is_unknown) {
            (Some(_), _) => Verdict::Accepted,
            (None, true) => Verdict::Unknown,
            (None, false) => Verdict::Refused,
        };
        let fate = if self.is_stored && self.notices.len() == NoticeKind::ALL.len() {
            Fate::Archived
        } else if self.dead.is_some() {
            Fate::DeadLetter
        } else if self.started > 0 && self.ended >= self.started {
            Fate::Lost
        } else {
            Fate::InFlight
        };
        let both_ends = self.completed.is_some() && self.dead.is_some();
        Some(Account { root, verdict, fate, repeats: self.repeats, is_sent_again: self.is_sent_again, both_ends })
    }
}

/// What the sources of audit records know, and the outcomes of the accepted records. A 502 or 504
/// does not settle its record.
pub(super) fn tables(accounts: &[(ArmTag, Account)]) -> [Table; 2] {
    let sent = table(
        "audit records",
        accounts,
        &[
            ("accepted", |record| record.verdict == Verdict::Accepted),
            ("refused", |record| record.verdict == Verdict::Refused),
            ("502, 504 or no answer to the end", |record| record.verdict == Verdict::Unknown),
        ],
        &[
            ("sent again after a 502, a 504 or no answer", |record| record.is_sent_again),
            ("repeated by another arrival", |record| record.repeats),
            ("taken, and the sender does not know", |record| {
                record.verdict == Verdict::Unknown && matches!(record.fate, Fate::Archived | Fate::DeadLetter)
            }),
        ],
    );
    let accepted: Vec<_> = accounts.iter().filter(|(_, record)| record.verdict == Verdict::Accepted).cloned().collect();
    let accepted = table(
        "accepted audit records",
        &accepted,
        &[
            ("archived, with four notices", |record| record.fate == Fate::Archived),
            ("in the dead-letter queue", |record| record.fate == Fate::DeadLetter),
            ("ended and neither", |record| record.fate == Fate::Lost),
            ("in flight", |record| record.fate == Fate::InFlight),
        ],
        &[("both ends", |record| record.both_ends)],
    );
    [sent, accepted]
}
