//! What became of each audit record: how it was answered, what was seen of it in cache, archive, table and topic, its executions, and the faults
//! that struck meanwhile. A record is looked at when its executions have ended, and a last time when nothing can come of it any more.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::systems::audit::{ARCHIVE, ARCHIVE_BUCKET, CLOSE, DEAD_LETTERS, DESCRIBE, ID, INGEST, NOTICES, STATE_MACHINE, TABLE};
use run_folder::Seen;
use serde_json::Value;

use crate::exchange::{Exchange, Record, Verdict};
use crate::strike::{Handler, Struck};
use crate::{Asked, Event};

use crate::invariants::{Book, Quiet};

/// The functions, and what they and the state machine call.
const FUNCTIONS: [&str; 4] = [INGEST, ARCHIVE, DESCRIBE, CLOSE];
const SERVICES: [&str; 6] = ["dynamodb", "redis", "s3", "sns", "sqs", "states"];
/// What is true in the row of a record with which all is done.
const FLAGS: [&str; 3] = ["archived", "described", CLOSED];
const CLOSED: &str = "closed";
/// What the harness learns from three sides may be out of order by a second; after this, all is known.
const GRACE: Duration = Duration::from_secs(3);
/// A source waits 30 s for an answer and sends again 3 s after it: what is silent for longer is over.
const OVER: Duration = Duration::from_secs(45);
/// Strikes are told a moment late.
const SLACK: Duration = Duration::from_secs(1);
/// Of more strikes than this the oldest are forgotten.
const MOST_STRIKES: usize = 10_000;

/// The notices that tell of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum NoticeKind {
    Archived,
    Described,
    Closed,
    Completed,
}

impl NoticeKind {
    pub(crate) const ALL: [Self; 4] = [Self::Archived, Self::Described, Self::Closed, Self::Completed];

    /// As the notice says it.
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
    /// `None` where the contract has no such notice.
    pub(crate) kind: Option<NoticeKind>,
    /// Whether its status and all results that it carries are `ok`.
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

/// All that is known of a record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(crate) answers: Vec<Answer>,
    pub(crate) stored: Vec<Stored>,
    pub(crate) cached: Vec<(Duration, Cached)>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) executions: Vec<Execution>,
    /// What is true in its row; `None` where there is no row.
    pub(crate) flags: Option<BTreeSet<String>>,
    /// When an entry of the dead-letter queue named it.
    pub(crate) dead: Vec<Duration>,
    /// When something was last heard of it.
    last: Duration,
    looked_at: bool,
}

/// A record that is to be judged.
#[derive(Debug)]
pub(crate) struct Rested {
    pub(crate) known: Known,
    /// The request that all agree on: they carry one id and the same bytes.
    pub(crate) record: Record,
    /// The faults that struck while it was under way.
    pub(crate) strikes: Vec<Arc<Struck>>,
    /// Whether nothing can come of it any more.
    pub(crate) is_over: bool,
    /// When it is judged.
    pub(crate) at: Duration,
}

/// All records of which something may still come.
#[derive(Default)]
pub(crate) struct RecordBook {
    all: HashMap<String, Known>,
    /// The records of executions, by the executions' names.
    executions: HashMap<String, String>,
    strikes: VecDeque<Arc<Struck>>,
    clock: Duration,
    swept: Duration,
}

impl Book for RecordBook {
    type Ripe = Vec<Rested>;

    /// The records that can now be judged.
    fn see(&mut self, event: &Event) -> Vec<Rested> {
        self.clock = self.clock.max(event.at());
        match event {
            Event::Exchange(exchange) => self.answered(exchange),
            Event::Struck(struck) if FUNCTIONS.iter().any(|function| struck.concerns(function, &SERVICES)) => {
                self.strikes.push_back(Arc::new((**struck).clone()));
            }
            Event::Saw { at, seen } => self.saw(*at, seen),
            _ => {}
        }
        if self.clock < self.swept + Duration::from_millis(250) {
            return Vec::new();
        }
        self.swept = self.clock;
        self.sweep()
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Rested> {
        let at = quiet.at.max(self.clock);
        std::mem::take(&mut self.all).into_values().filter_map(|known| known.rested(&self.strikes, true, at)).collect()
    }
}

impl RecordBook {
    fn sweep(&mut self) -> Vec<Rested> {
        let clock = self.clock;
        let mut rested = Vec::new();
        for known in self.all.values_mut() {
            let ended = known.executions.iter().all(|execution| execution.ended.is_some());
            if !known.looked_at && known.is_accepted() && ended && known.last + GRACE <= clock {
                known.looked_at = true;
                rested.extend(known.clone().rested(&self.strikes, false, clock));
            }
        }
        for (_, known) in self.all.extract_if(|_, known| known.is_over(clock)) {
            for execution in &known.executions {
                self.executions.remove(&execution.name);
            }
            rested.extend(known.rested(&self.strikes, true, clock));
        }
        self.strikes.drain(..self.strikes.len().saturating_sub(MOST_STRIKES));
        rested
    }

    fn answered(&mut self, exchange: &Exchange) {
        let Asked::Record(record) = &exchange.asked else { return };
        let answer = Answer {
            due: exchange.due,
            sent: exchange.sent,
            done: exchange.done,
            root: exchange.root.clone(),
            status: exchange.status,
            record: (**record).clone(),
            struck: !exchange.struck.is_empty(),
        };
        let done = exchange.done;
        self.of(&record.id, done).answers.push(answer);
    }

    fn saw(&mut self, at: Duration, seen: &Seen) {
        match seen {
            Seen::ObjectStored { bucket, key, size, etag } if bucket == ARCHIVE_BUCKET => {
                let Some(id) = key.split('/').nth(1) else { return };
                self.of(id, at).stored.push(Stored { at, key: key.clone(), size: *size, etag: etag.clone() });
            }
            Seen::CacheSet { key, .. } => self.cached(key, at, Cached::Set),
            Seen::CacheDeleted { key } | Seen::CacheExpired { key } => self.cached(key, at, Cached::Gone),
            Seen::RowWritten { table, key, flags, .. } if table == TABLE => self.of(key, at).flags = Some(flags.iter().cloned().collect()),
            Seen::RowDeleted { table, key } if table == TABLE => self.of(key, at).flags = None,
            Seen::Published { topic, message, .. } if topic == NOTICES => {
                if let Some((id, notice)) = notice(at, message) {
                    self.of(&id, at).notices.push(notice);
                }
            }
            Seen::Queued { queue, about: Some(id), .. } if queue == DEAD_LETTERS => self.of(id, at).dead.push(at),
            Seen::ExecutionStarted { machine, name } if machine == STATE_MACHINE => {
                let id = self.record_of(name);
                self.executions.insert(name.clone(), id.clone());
                self.of(&id, at).executions.push(Execution { name: name.clone(), ended: None });
            }
            Seen::ExecutionEnded { machine, name, status, error, tries } if machine == STATE_MACHINE => {
                let Some(id) = self.executions.get(name).cloned() else { return };
                let ended = Ended { at, status: status.clone(), error: error.clone(), tries: tries.clone() };
                let open = self.of(&id, at).executions.iter_mut().find(|execution| execution.name == *name && execution.ended.is_none());
                if let Some(open) = open {
                    open.ended = Some(ended);
                }
            }
            _ => {}
        }
    }

    fn cached(&mut self, key: &str, at: Duration, what: Cached) {
        if let Some(id) = key.strip_prefix("record:") {
            self.of(id, at).cached.push((at, what));
        }
    }

    fn of(&mut self, id: &str, at: Duration) -> &mut Known {
        let known = self.all.entry(id.to_owned()).or_default();
        known.last = known.last.max(at);
        known
    }

    /// An execution bears the id as its name, or in the published form at the name's begin.
    fn record_of(&self, name: &str) -> String {
        let ends = name.char_indices().rev().filter(|(_, letter)| matches!(letter, '-' | '_' | '.')).filter_map(|(end, _)| name.get(..end));
        let known = std::iter::once(name).chain(ends).find(|begin| self.all.contains_key(*begin));
        known.unwrap_or(name).to_owned()
    }
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

    /// Whether it is archived, described and closed, as archive and row tell.
    pub(crate) fn is_done(&self) -> bool {
        !self.stored.is_empty() && FLAGS.iter().all(|flag| self.has(flag))
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.contains(flag))
    }

    /// Whether a notice says that something is not as it should be.
    pub(crate) fn tells_of_failure(&self) -> bool {
        self.notices.iter().any(|notice| !notice.is_ok)
    }

    fn is_over(&self, clock: Duration) -> bool {
        !self.is_under_way() && self.last + OVER <= clock
    }

    /// Nothing where no request of the run carried it: somebody else's record.
    fn rested(self, strikes: &VecDeque<Arc<Struck>>, is_over: bool, at: Duration) -> Option<Rested> {
        let record = self.answers.first()?.record.clone();
        let from = self.answers.iter().map(|answer| answer.sent).min().unwrap_or_default();
        let until = self.last + SLACK;
        let strikes = strikes.iter().filter(|struck| (from..=until).contains(&struck.at)).map(Arc::clone).collect();
        Some(Rested { known: self, record, strikes, is_over, at })
    }
}

impl Rested {
    /// Whether a fault may have put an answer in the place of a function's own, or given it something else to do: what follows is the fault's.
    pub(crate) fn may_be_misled(&self) -> bool {
        self.strikes.iter().any(|struck| matches!(struck.handler(), Handler::Replaced | Handler::Misled))
    }
}

/// The record of which a notice tells, and the notice.
fn notice(at: Duration, message: &str) -> Option<(String, Notice)> {
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
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::s;
    use crate::invariants::fixtures::tick;

    fn looks(book: &mut RecordBook, events: &[Event]) -> Vec<(String, bool)> {
        let mut seen = Vec::new();
        for event in events {
            seen.extend(book.see(event).into_iter().map(|rested| (rested.record.id.clone(), rested.is_over)));
        }
        seen
    }

    #[test]
    fn a_record_is_looked_at_once_its_executions_have_ended_and_once_more_when_it_is_over() {
        let mut book = RecordBook::default();
        let id = Story::new(1).id();
        assert_eq!(looks(&mut book, &Story::new(1).whole().events()), []);
        assert_eq!(looks(&mut book, &[tick(4.0)]), [], "something may still be on its way");
        assert_eq!(looks(&mut book, &[tick(6.0), tick(7.0)]), [(id.clone(), false)]);
        assert_eq!(looks(&mut book, &[tick(60.0), tick(70.0)]), [(id, true)]);
        assert!(book.all.is_empty() && book.executions.is_empty());
    }

    #[test]
    fn an_execution_that_goes_on_is_waited_for() {
        let mut book = RecordBook::default();
        let events = Story::new(1).started(0.7).events();
        assert_eq!(looks(&mut book, &events), []);
        assert_eq!(looks(&mut book, &[tick(200.0)]), []);
        let left = book.settled(&Quiet { at: s(600.0), ..Quiet::default() });
        assert_eq!(left.iter().map(|rested| rested.is_over).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn what_belongs_to_no_request_of_the_run_is_forgotten() {
        let mut book = RecordBook::default();
        for n in 0..2_000_u32 {
            let events = Story::new(n).whole().later(f64::from(n)).events();
            looks(&mut book, &events.into_iter().filter(|event| !matches!(event, Event::Exchange(_))).collect::<Vec<_>>());
        }
        assert!(book.all.len() < 60 && book.executions.len() < 60, "{} {}", book.all.len(), book.executions.len());
    }

    #[test]
    fn a_notice_is_read_and_what_is_none_is_left() {
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
