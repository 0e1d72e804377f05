//! The books of audit records: each id that was sent joined with its answers and with what the services saw of it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::systems::audit::{ARCHIVE_BUCKET, DEAD_LETTERS, ID, NOTICES, STATE_MACHINE};
use reports::Phase;
use run_folder::Seen;
use serde_json::Value;

use super::Unfinished;
use crate::exchange::{Closed, Exchange, RecordEnd, Verdict};
use crate::{Asked, Event};

/// The final notice, which the state machine publishes itself.
const FINAL: &str = "completed";

/// How many notices tell of a record.
const NOTICES_OF_ONE: usize = 4;

/// A record that was sent and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordAccount<'a> {
    /// `sourceTransactionID`.
    pub id: &'a str,
    /// The root of the trace of the request by which it is known: the first that was accepted, or else the first.
    pub root: &'a str,
    /// What its sender knows: accepted by any answer, or else unknown by any, or else refused.
    pub verdict: Verdict,
    /// What became of it.
    pub fate: RecordFate,
    /// Requests that another arrival made with the same record.
    pub repeats: u64,
    /// Requests that were made again since an answer had said nothing of the record.
    pub sent_again: u64,
    /// It was given up although all was done, or done although it was given up.
    pub both_ends: bool,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordFate {
    /// Archived, with its four notices.
    Archived,
    /// In the dead-letter queue.
    DeadLetter,
    /// Its executions have ended and it is neither.
    Lost,
    /// An execution is under way, or none was seen yet.
    InFlight,
}

/// Records by what became of them: `sent` is `accepted`, `refused` and `unknown`; `accepted` is `archived` to `in_flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordBooks {
    /// Records that were sent.
    pub sent: u64,
    /// Answered 200.
    pub accepted: u64,
    /// Answered 4xx, or 503 by their function, and never 200.
    pub refused: u64,
    /// Neither: 502, 504 or no answer, also when they were sent again.
    pub unknown: u64,
    /// Accepted and archived, with four notices.
    pub archived: u64,
    /// Accepted and in the dead-letter queue.
    pub dead_letter: u64,
    /// Accepted and neither, though their executions have ended.
    pub lost: u64,
    /// Accepted and still under way.
    pub in_flight: u64,
    /// Archived or in the dead-letter queue while their sender does not know that they were taken.
    pub taken_unknown: u64,
    /// Sent by another arrival too.
    pub repeated: u64,
    /// Sent again after an answer that said nothing of them.
    pub sent_again: u64,
    /// Accepted, and in both ends.
    pub both_ends: u64,
}

impl RecordBooks {
    /// Adds the accounts up, such as those of one arm.
    pub fn of<'a>(accounts: impl Iterator<Item = RecordAccount<'a>>) -> Self {
        accounts.fold(Self::default(), |mut books, account| {
            books.sent += 1;
            books.repeated += u64::from(account.repeats > 0);
            books.sent_again += u64::from(account.sent_again > 0);
            match account.verdict {
                Verdict::Accepted => books.accept(&account),
                Verdict::Refused => books.refused += 1,
                Verdict::Unknown => {
                    books.unknown += 1;
                    books.taken_unknown += u64::from(matches!(account.fate, RecordFate::Archived | RecordFate::DeadLetter));
                }
            }
            books
        })
    }

    fn accept(&mut self, account: &RecordAccount<'_>) {
        self.accepted += 1;
        self.both_ends += u64::from(account.both_ends);
        *match account.fate {
            RecordFate::Archived => &mut self.archived,
            RecordFate::DeadLetter => &mut self.dead_letter,
            RecordFate::Lost => &mut self.lost,
            RecordFate::InFlight => &mut self.in_flight,
        } += 1;
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Records {
    all: HashMap<String, Way>,
    /// The names of executions under way.
    open: BTreeSet<String>,
}

/// One record's way.
#[derive(Debug, Default)]
struct Way {
    first: Option<Asker>,
    accepted: Option<Asker>,
    unknown: bool,
    repeats: u64,
    sent_again: u64,
    stored: bool,
    notices: BTreeSet<String>,
    completed: Option<Duration>,
    dead: Option<Duration>,
    started: u64,
    ended: u64,
    told: bool,
}

/// A request with a record.
#[derive(Debug, Clone)]
struct Asker {
    root: String,
    phase: Option<Phase>,
    done: Duration,
}

impl Records {
    /// The record that came to its first end by this event.
    pub(super) fn see(&mut self, event: &Event) -> Option<Closed> {
        let id = match event {
            Event::Exchange(exchange) => self.answered(exchange),
            Event::Saw { at, seen } => self.saw(*at, seen),
            _ => None,
        }?;
        let way = self.all.get_mut(&id)?;
        let accepted = way.accepted.as_ref().filter(|_| !way.told)?;
        let ends = [(way.completed, RecordEnd::Completed), (way.dead, RecordEnd::DeadLetter)];
        let (at, end) = ends.into_iter().filter_map(|(at, end)| Some((at?, end))).min()?;
        let (root, phase, accepted) = (accepted.root.clone(), accepted.phase, accepted.done);
        way.told = true;
        Some(Closed { id, root, phase, accepted, at, end, struck: Vec::new() })
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = RecordAccount<'_>> {
        self.all.iter().filter_map(|(id, way)| way.account(id))
    }

    pub(super) fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        let open = self.all.values().filter(|way| way.completed.is_none() && way.dead.is_none());
        open.filter_map(|way| way.accepted.as_ref()).map(|asker| {
            let (root, phase, accepted) = (asker.root.clone(), asker.phase, asker.done);
            Unfinished::Record { root, accepted, phase }
        })
    }

    /// Executions under way, and accepted records of which no execution and no end was seen yet.
    pub(super) fn under_way(&self) -> usize {
        let waiting = |way: &&Way| way.accepted.is_some() && way.started == 0 && way.completed.is_none() && way.dead.is_none();
        self.open.len() + self.all.values().filter(waiting).count()
    }

    fn answered(&mut self, exchange: &Exchange) -> Option<String> {
        let Asked::Record(record) = &exchange.asked else { return None };
        let asker = Asker { root: exchange.root.clone(), phase: exchange.phase, done: exchange.done };
        let way = self.all.entry(record.id.clone()).or_default();
        way.repeats += u64::from(record.repeats && record.attempt == 0);
        way.sent_again += u64::from(record.attempt > 0);
        match Verdict::of(exchange.status) {
            Verdict::Accepted if way.accepted.is_none() => way.accepted = Some(asker.clone()),
            Verdict::Unknown => way.unknown = true,
            Verdict::Accepted | Verdict::Refused => {}
        }
        way.first.get_or_insert(asker);
        Some(record.id.clone())
    }

    /// Notes a sighting; the id of the record that it is about.
    fn saw(&mut self, at: Duration, seen: &Seen) -> Option<String> {
        match seen {
            Seen::ObjectStored { bucket, key, .. } if bucket == ARCHIVE_BUCKET => self.way(key.split('/').nth(1)?, |way| way.stored = true),
            Seen::Published { topic, message, .. } if topic == NOTICES => {
                let message: Value = serde_json::from_str(message).ok()?;
                let text = |key: &str| message.get(key).and_then(Value::as_str);
                let (id, notice) = (text(ID)?, text("notice")?);
                self.way(id, |way| {
                    way.notices.insert(notice.to_owned());
                    if notice == FINAL {
                        way.completed.get_or_insert(at);
                    }
                })
            }
            Seen::Queued { queue, about: Some(id), .. } if queue == DEAD_LETTERS => self.way(id, |way| {
                way.dead.get_or_insert(at);
            }),
            Seen::ExecutionStarted { machine, name } if machine == STATE_MACHINE => {
                self.open.insert(name.clone());
                self.way(name, |way| way.started += 1)
            }
            Seen::ExecutionEnded { machine, name, .. } if machine == STATE_MACHINE => {
                self.open.remove(name);
                self.way(name, |way| way.ended += 1)
            }
            _ => None,
        }
    }

    fn way(&mut self, id: &str, note: impl FnOnce(&mut Way)) -> Option<String> {
        note(self.all.entry(id.to_owned()).or_default());
        Some(id.to_owned())
    }
}

impl Way {
    /// Nothing where no request of the run carried it.
    fn account<'a>(&'a self, id: &'a str) -> Option<RecordAccount<'a>> {
        let known_by = self.accepted.as_ref().or(self.first.as_ref())?;
        let verdict = match (&self.accepted, self.unknown) {
            (Some(_), _) => Verdict::Accepted,
            (None, true) => Verdict::Unknown,
            (None, false) => Verdict::Refused,
        };
        let is_whole = self.stored && self.notices.len() >= NOTICES_OF_ONE && self.completed.is_some();
        let fate = if is_whole {
            RecordFate::Archived
        } else if self.dead.is_some() {
            RecordFate::DeadLetter
        } else if self.started > 0 && self.ended >= self.started {
            RecordFate::Lost
        } else {
            RecordFate::InFlight
        };
        let both_ends = self.completed.is_some() && self.dead.is_some();
        let (repeats, sent_again) = (self.repeats, self.sent_again);
        Some(RecordAccount { id, root: &known_by.root, verdict, fate, repeats, sent_again, both_ends })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use reports::Outcome;

    use super::*;
    use crate::exchange::{Record, RecordForm, Said};

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn asked(at: u64, status: Option<u16>, repeats: bool, attempt: u32) -> Event {
        let record = Record { id: "a-1".into(), form: RecordForm::Good, size: 1, etag: None, repeats, attempt };
        Event::Exchange(Box::new(Exchange {
            endpoint: "audit POST /records",
            root: format!("1-{at}"),
            phase: Some(Phase::Fault),
            due: s(at),
            sent: s(at),
            done: s(at + 1),
            outcome: Outcome::Answered,
            status,
            method: "POST",
            path: "/records".into(),
            asked: Asked::Record(Box::new(record)),
            said: Said::default(),
            struck: Vec::new(),
        }))
    }

    fn answered(at: u64, status: u16) -> Event {
        asked(at, Some(status), false, 0)
    }

    fn saw(at: u64, seen: Seen) -> Event {
        Event::Saw { at: s(at), seen }
    }

    fn stored(at: u64) -> Event {
        saw(at, Seen::ObjectStored { bucket: ARCHIVE_BUCKET.into(), key: "records/a-1".into(), size: 1, etag: String::new() })
    }

    fn notice(at: u64, notice: &str) -> Event {
        let message = format!(r#"{{"notice":"{notice}","sourceTransactionID":"a-1","status":"ok"}}"#);
        saw(at, Seen::Published { topic: NOTICES.into(), id: at.to_string(), subject: None, message })
    }

    fn started(at: u64) -> Event {
        saw(at, Seen::ExecutionStarted { machine: STATE_MACHINE.into(), name: "a-1".into() })
    }

    fn ended(at: u64) -> Event {
        let (status, error, tries) = ("FAILED".into(), None, BTreeMap::new());
        saw(at, Seen::ExecutionEnded { machine: STATE_MACHINE.into(), name: "a-1".into(), status, error, tries })
    }

    fn dead(at: u64) -> Event {
        saw(at, Seen::Queued { queue: DEAD_LETTERS.into(), message: "q".into(), about: Some("a-1".into()) })
    }

    fn whole() -> Vec<Event> {
        let notices = [(4, "archived"), (5, "described"), (6, "closed"), (7, "completed")].map(|(at, kind)| notice(at, kind));
        [started(3), stored(4)].into_iter().chain(notices).chain([ended(8)]).collect()
    }

    #[test]
    fn every_record_has_its_fate_and_the_books_add_up() {
        use RecordFate::{Archived, DeadLetter, InFlight, Lost};
        use Verdict::{Accepted, Refused, Unknown};
        let without = |one: usize| whole().into_iter().enumerate().filter(|(n, _)| *n != one).map(|(_, event)| event).collect();
        let after = |first: Event, then: Vec<Event>| [vec![first], then].concat();
        for (what, history, expected) in [
            ("whole", after(answered(1, 200), whole()), Some((Accepted, Archived, Some(7)))),
            ("the answer is known last", [whole(), vec![answered(1, 200)]].concat(), Some((Accepted, Archived, Some(7)))),
            ("a notice is missing", after(answered(1, 200), without(2)), Some((Accepted, Lost, Some(7)))),
            ("given up", vec![answered(1, 200), started(3), dead(9), ended(9)], Some((Accepted, DeadLetter, Some(9)))),
            ("ended without a trace", vec![answered(1, 200), started(3), ended(9)], Some((Accepted, Lost, None))),
            ("under way", vec![answered(1, 200), started(3), stored(4)], Some((Accepted, InFlight, None))),
            ("refused", vec![answered(1, 400)], Some((Refused, InFlight, None))),
            ("refused, then accepted", after(answered(1, 503), after(answered(2, 200), whole())), Some((Accepted, Archived, Some(7)))),
            ("no word of it", after(answered(1, 502), whole()), Some((Unknown, Archived, None))),
            ("nobody of the run sent it", whole(), None),
        ] {
            let mut records = Records::default();
            let closed: Vec<_> = history.iter().filter_map(|event| records.see(event)).collect();
            let end = expected.and_then(|(_, _, end)| end);
            assert_eq!(closed.first().map(|closed| closed.at), end.map(s), "{what}");
            assert!(closed.len() < 2, "{what}: it ends once");
            assert_eq!(
                records.accounts().next().map(|account| (account.verdict, account.fate)),
                expected.map(|(v, f, _)| (v, f)),
                "{what}"
            );
            let books = RecordBooks::of(records.accounts());
            assert_eq!(books.sent, books.accepted + books.refused + books.unknown, "{what}");
            assert_eq!(books.accepted, books.archived + books.dead_letter + books.lost + books.in_flight, "{what}");
            let waits = matches!(what, "under way");
            assert_eq!(records.under_way(), usize::from(waits), "{what}");
        }
    }

    #[test]
    fn repeats_and_what_was_sent_again_are_counted_once_a_record() {
        let history =
            [answered(1, 502), asked(2, Some(504), false, 1), asked(5, Some(200), false, 2), asked(6, Some(200), true, 0)].into_iter();
        let mut records = Records::default();
        history.chain([dead(9)]).chain([notice(10, FINAL)]).for_each(|event| drop(records.see(&event)));
        let books = RecordBooks::of(records.accounts());
        assert_eq!((books.sent, books.repeated, books.sent_again, books.both_ends), (1, 1, 1, 1));
        assert_eq!(records.accounts().next().unwrap().root, "1-5", "the root is that of the request that was accepted");
    }

    #[test]
    fn an_accepted_record_without_an_execution_is_waited_for() {
        let mut records = Records::default();
        records.see(&answered(1, 200));
        assert_eq!(records.under_way(), 1);
        for event in whole() {
            records.see(&event);
        }
        assert_eq!(records.under_way(), 0);
    }
}
