//! Histories of audit records and what the book derives from them.

use std::collections::BTreeMap;
use std::time::Duration;

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table, Outcome, Phase};
use run_folder::Seen;

use super::book::RecordBook;
use super::dispositions::Fate;
use crate::exchange::{Exchange, Record, RecordForm, Said, Verdict};
use crate::invariants::{Book, Ended, Quiet};
use crate::systems::audit::{ARCHIVE_BUCKET, DEAD_LETTERS, NOTICES, STATE_MACHINE};
use crate::{Asked, Event};

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
        missed: None,
        told: None,
        began: None,
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

/// The ends that were reported, in order, and the book.
fn told(history: &[Event]) -> (Vec<Ended>, RecordBook) {
    let mut book = RecordBook::default();
    let ended = history.iter().filter_map(|event| {
        book.see(event);
        book.ended()
    });
    (ended.collect(), book)
}

fn whole() -> Vec<Event> {
    let notices = [(4, "archived"), (5, "described"), (6, "closed"), (7, "completed")].map(|(at, kind)| notice(at, kind));
    [started(3), stored(4)].into_iter().chain(notices).chain([ended(8)]).collect()
}

#[test]
fn every_record_has_its_outcome_and_the_tables_add_up() {
    use Fate::{Archived, DeadLetter, InFlight, Lost};
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
        let (ended, book) = told(&history);
        let ends: Vec<_> = ended.into_iter().filter_map(|ended| ended.end).map(|(at, _)| at).collect();
        let end = expected.and_then(|(_, _, end)| end);
        assert_eq!(ends, end.map(s).into_iter().collect::<Vec<_>>(), "{what}: it ends once");
        let account = book.accounts().next();
        assert_eq!(account.map(|account| (account.verdict, account.fate)), expected.map(|(v, f, _)| (v, f)), "{what}");
        for table in book.tables(&|_| ArmTag::Untouched) {
            assert_eq!(table.imbalance(), None, "{what}");
        }
        let waits = matches!(what, "under way");
        assert_eq!(book.under_way(), usize::from(waits), "{what}");
    }
}

#[test]
fn repeated_and_resent_records_are_counted_once_each() {
    let history =
        [answered(1, 502), asked(2, Some(504), false, 1), asked(5, Some(200), false, 2), asked(6, Some(200), true, 0)].into_iter();
    let (_, mut book) = told(&history.chain([dead(9)]).chain([notice(10, "completed")]).collect::<Vec<_>>());
    for is_over in [false, true] {
        let [sent, accepted]: [Table; 2] = book.tables(&|_| ArmTag::Untouched).try_into().unwrap();
        let counts = |table: &Table| table.of_these.iter().map(Row::total).collect::<Vec<_>>();
        assert_eq!((sent.taken, counts(&sent), counts(&accepted)), (1, vec![1, 1, 0], vec![1]), "over: {is_over}");
        assert_eq!(book.accounts().next().unwrap().root, "1-5", "the root is that of the request that was accepted");
        book.settled(&Quiet::default());
    }
}

#[test]
fn an_end_that_comes_after_a_record_is_over_is_reported() {
    let (_, mut book) = told(&[answered(1, 200)]);
    let record = Ended { endpoint: "audit accepted -> closed", identity: Some("1-1".into()), due: s(1), since: s(2), end: None };
    assert_eq!(book.unfinished(), std::slice::from_ref(&record));
    book.settled(&Quiet::default());
    assert_eq!(book.unfinished(), std::slice::from_ref(&record));
    book.see(&dead(90));
    assert_eq!(book.ended(), Some(Ended { end: Some((s(90), Outcome::Failed)), ..record }));
    book.settled(&Quiet::default());
    assert_eq!((book.unfinished(), book.accounts().next().map(|account| account.fate)), (vec![], Some(Fate::DeadLetter)));
}

#[test]
fn an_accepted_record_without_an_execution_is_waited_for() {
    let (_, mut book) = told(&[answered(1, 200)]);
    assert_eq!(book.under_way(), 1);
    for event in whole() {
        book.see(&event);
    }
    assert_eq!(book.under_way(), 0);
}
