//! Everything that is known of an audit record: its answers, its executions, and the sightings in
//! cache, archive, table and topic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{Record, Verdict};
use crate::strike::{Handler, Struck};
use crate::systems::audit::ID;
use serde_json::Value;

/// The flags in the row of a record that is completely processed.
const FLAGS: [&str; 3] = ["archived", "described", CLOSED];
const CLOSED: &str = "closed";
/// A source waits 30 s for an answer and sends again 3 s after it: a record that is silent for
/// longer is over.
const OVER: Duration = Duration::from_secs(45);
/// The same while no answer is known: on a slow machine it may be heard of long after all that it is about.
const UNANSWERED: Duration = Duration::from_secs(180);
/// Strikes are reported a moment late.
const SLACK: Duration = Duration::from_secs(1);

/// The kinds of notices about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum NoticeKind {
    Archived,
    Described,
    Closed,
    Completed,
}

impl NoticeKind {
    pub(crate) const ALL: [Self; 4] = [Self::Archived, Self::Described, Self::Closed, Self::Completed];

    /// Its name in the notice.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Described => "described",
            Self::Closed => "closed",
            Self::Completed => "completed",
        }
    }

    /// The state that publishes it, or whose task does.
    pub(crate) const fn state(self) -> &'static str {
        match self {
            Self::Archived => "Archive",
            Self::Described => "Describe",
            Self::Closed => "Close",
            Self::Completed => "Completed",
        }
    }
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) at: Duration,
    /// `None` if the contract has no such notice.
    pub(crate) kind: Option<NoticeKind>,
    /// Whether its status and all results in it are `ok`.
    pub(crate) is_ok: bool,
}

/// An object in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) at: Duration,
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
}

/// Something that happened to the record in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cached {
    Set,
    Gone,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) at: Duration,
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    pub(crate) tries: BTreeMap<String, u32>,
}

/// An execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) name: String,
    pub(crate) ended: Option<Ended>,
}

/// An answer to a request that carried the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) due: Duration,
    pub(crate) sent: Duration,
    pub(crate) done: Duration,
    pub(crate) root: String,
    pub(crate) status: Option<u16>,
    pub(crate) record: Record,
    /// Whether a fault struck this request.
    pub(crate) struck: bool,
}

impl Answer {
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::of(self.status)
    }
}

/// Everything that is known of a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) answers: Vec<Answer>,
    pub(crate) stored: Vec<Stored>,
    pub(crate) cached: Vec<(Duration, Cached)>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) executions: Vec<Execution>,
    /// The flags that are true in its row; `None` if it has no row.
    pub(crate) flags: Option<BTreeSet<String>>,
    /// When an entry of the dead-letter queue named it.
    pub(crate) dead: Vec<Duration>,
    /// The time of the latest news about it.
    pub(super) last: Duration,
    /// Whether the rules have judged it since its executions ended.
    pub(super) is_looked_at: bool,
    /// Whether its first end was reported.
    pub(super) is_told: bool,
}

/// A record to judge.
#[derive(Debug)]
pub(crate) struct Rested {
    pub(crate) known: Known,
    /// The record, which is the same in all its requests: one id and the same bytes.
    pub(crate) record: Record,
    /// The faults that struck while it was under way.
    pub(crate) strikes: Vec<Arc<Struck>>,
    /// Whether nothing more can happen to it.
    pub(crate) is_over: bool,
    /// When it is judged.
    pub(crate) at: Duration,
}

impl Known {
    /// Whether any request with it was answered 200.
    pub(crate) fn is_accepted(&self) -> bool {
        self.answers.iter().any(|answer| answer.verdict() == Verdict::Accepted)
    }

    /// When it was first answered 200.
    pub(crate) fn accepted_at(&self) -> Option<Duration> {
        self.answers.iter().filter(|answer| answer.verdict() == Verdict::Accepted).map(|answer| answer.done).min()
    }

    /// Whether every request with it was refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.answers.iter().all(|answer| answer.verdict() == Verdict::Refused)
    }

    /// How often a notice of this kind came.
    pub(crate) fn noticed(&self, kind: NoticeKind) -> usize {
        self.notices.iter().filter(|notice| notice.kind == Some(kind)).count()
    }

    /// Whether an execution succeeded.
    pub(crate) fn succeeded(&self) -> bool {
        self.executions.iter().any(|execution| execution.ended.as_ref().is_some_and(|ended| ended.status == "SUCCEEDED"))
    }

    /// Whether an execution is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.executions.iter().any(|execution| execution.ended.is_none())
    }

    /// Whether its row says that it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.has(CLOSED)
    }

    /// Whether it is archived, described and closed, according to the archive and the row.
    pub(crate) fn is_done(&self) -> bool {
        !self.stored.is_empty() && FLAGS.iter().all(|flag| self.has(flag))
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.contains(flag))
    }

    /// Whether a notice reports a failure.
    pub(crate) fn tells_of_failure(&self) -> bool {
        self.notices.iter().any(|notice| !notice.is_ok)
    }

    pub(super) fn is_over(&self, clock: Duration) -> bool {
        let silent = if self.answers.is_empty() { UNANSWERED } else { OVER };
        !self.is_under_way() && self.last + silent <= clock
    }

    /// `None` if no request of the run carried it: it is not a record of this run.
    pub(super) fn rested(self, strikes: &VecDeque<Arc<Struck>>, is_over: bool, at: Duration) -> Option<Rested> {
        let record = self.answers.first()?.record.clone();
        let from = self.answers.iter().map(|answer| answer.sent).min().unwrap_or_default();
        let until = self.last + SLACK;
        let strikes = strikes.iter().filter(|struck| (from..=until).contains(&struck.at)).map(Arc::clone).collect();
        Some(Rested { known: self, record, strikes, is_over, at })
    }
}

impl Rested {
    /// Whether a fault may have replaced a function's answer or changed its input: the fault is
    /// then responsible for what follows.
    pub(crate) fn may_be_misled(&self) -> bool {
        self.strikes.iter().any(|struck| matches!(struck.handler(), Handler::Replaced | Handler::Misled))
    }
}

/// The record that a notice is about, and the notice.
pub(super) fn notice(at: Duration, message: &str) -> Option<(String, Notice)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    let id = text(ID)?.to_owned();
    let kind = NoticeKind::ALL.into_iter().find(|kind| text("notice") == Some(kind.name()));
    let ok = |value: &Value| value.get("status").and_then(Value::as_str) == Some("ok");
    let results = message.get("results").and_then(Value::as_array);
    let is_ok = ok(&message) && results.is_none_or(|results| results.iter().all(ok));
    Some((id, Notice { at, kind, is_ok }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants::fixtures::s;

    #[test]
    fn a_notice_is_read_and_anything_else_is_ignored() {
        for (message, expected) in [
            (r#"{"notice":"archived","sourceTransactionID":"a","status":"ok"}"#, Some((Some(NoticeKind::Archived), true))),
            (
                r#"{"notice":"completed","sourceTransactionID":"a","status":"ok","results":[{"status":"ok"}]}"#,
                Some((Some(NoticeKind::Completed), true)),
            ),
            (
                r#"{"notice":"completed","sourceTransactionID":"a","status":"ok","results":[{"status":"error"}]}"#,
                Some((Some(NoticeKind::Completed), false)),
            ),
            (r#"{"notice":"closed","sourceTransactionID":"a","status":"error"}"#, Some((Some(NoticeKind::Closed), false))),
            (r#"{"notice":"closed","sourceTransactionID":"a"}"#, Some((Some(NoticeKind::Closed), false))),
            (r#"{"notice":"lost","sourceTransactionID":"a","status":"ok"}"#, Some((None, true))),
            (r#"{"notice":"closed","status":"ok"}"#, None),
            ("ALARM", None),
        ] {
            let found = notice(s(1.0), message).map(|(id, notice)| (id, notice.kind, notice.is_ok));
            assert_eq!(found, expected.map(|(kind, is_ok)| ("a".to_owned(), kind, is_ok)), "{message}");
        }
    }
}
