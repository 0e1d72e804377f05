//! Histories of mails and what the book derives from them.

use std::time::Duration;

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table, Outcome, Phase};
use run_folder::Seen;

use super::book::MailBook;
use crate::Event;
use crate::exchange::{Disposition, Expected, Mail, MailForm};
use crate::invariants::{Book, Ended};
use crate::systems::mail::{ALARMS, DEAD_LETTERS, FALLBACK, QUEUE};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn mail(expected: Expected) -> Event {
    Event::Mail(Box::new(Mail {
        token: "m-7-000001".into(),
        id: Some("id-1".into()),
        phase: Some(Phase::Fault),
        due: s(1),
        sent: s(1),
        done: s(2),
        outcome: Outcome::Answered,
        form: MailForm::Mixed,
        size: 1,
        expected,
        attachments: Vec::new(),
    }))
}

fn to(readers: &[&str]) -> Expected {
    Expected::Delivered { readers: readers.iter().map(|reader| (*reader).to_owned()).collect() }
}

fn saw(at: u64, seen: Seen) -> Event {
    Event::Saw { at: s(at), seen }
}

fn taken(at: u64) -> Event {
    saw(at, Seen::MailTaken { id: "id-1".into(), size: 1 })
}

fn queued(at: u64) -> Event {
    saw(at, Seen::Queued { queue: QUEUE.into(), message: "q-1".into(), about: Some("id-1".into()) })
}

fn sent(at: u64, readers: &[&str]) -> Event {
    let to = readers.iter().map(|reader| (*reader).to_owned()).collect();
    let subject = "Fwd: [m-7-000001] Reading".to_owned();
    saw(at, Seen::MailSent { id: at.to_string(), from: "x".into(), to, subject, text: String::new(), attachments: 0 })
}

fn published(at: u64, topic: &str, subject: Option<&str>, message: &str) -> Event {
    let subject = subject.map(str::to_owned);
    saw(at, Seen::Published { topic: topic.into(), id: at.to_string(), subject, message: message.into() })
}

fn deleted(at: u64) -> Event {
    saw(at, Seen::Deleted { queue: QUEUE.into(), message: "q-1".into() })
}

fn redriven(at: u64) -> Event {
    saw(at, Seen::Redriven { queue: QUEUE.into(), to: DEAD_LETTERS.into(), message: "q-1".into() })
}

fn expired(at: u64, queue: &str) -> Event {
    saw(at, Seen::Expired { queue: queue.into(), message: "q-1".into(), count: 0 })
}

/// The ends that were reported, in order, and the book.
fn told(history: &[Event]) -> (Vec<Ended>, MailBook) {
    let mut book = MailBook::default();
    let ended = history.iter().filter_map(|event| {
        book.see(event);
        book.ended()
    });
    (ended.collect(), book)
}

fn table(book: &MailBook) -> Table {
    book.tables(&|_| ArmTag::Untouched).remove(0)
}

fn count(rows: &[Row], what: &str) -> u64 {
    rows.iter().filter(|row| row.what == what).map(Row::total).sum()
}

/// What happened, the first disposition and its time, and how many were duplicated, doubled and
/// lost.
type History = (&'static str, Vec<Event>, Option<(u64, Disposition)>, [u64; 3]);

#[test]
fn every_history_of_a_mail_has_its_disposition_and_the_table_adds_up() {
    use Disposition::{DeadLetter, Delivered, Expired, Fallback};
    let two = || mail(to(&["a", "b"]));
    let cases: Vec<History> = vec![
        ("in flight", vec![two(), taken(2), queued(3)], None, [0, 0, 0]),
        ("delivered", vec![two(), queued(3), sent(4, &["a", "b"]), deleted(5)], Some((4, Delivered)), [0, 0, 0]),
        ("in two groups", vec![two(), sent(4, &["a"]), sent(6, &["b"])], Some((6, Delivered)), [0, 0, 0]),
        ("one group is missing", vec![two(), queued(3), sent(4, &["a"]), deleted(5)], None, [0, 0, 1]),
        ("twice", vec![two(), sent(4, &["a", "b"]), sent(6, &["a", "b"])], Some((4, Delivered)), [1, 0, 0]),
        ("delivered and dead", vec![two(), queued(3), sent(4, &["a", "b"]), redriven(9)], Some((4, Delivered)), [0, 1, 0]),
        ("acknowledged and never sent", vec![two(), queued(3), deleted(4)], None, [0, 0, 1]),
        ("expired", vec![two(), queued(3), expired(9, QUEUE)], Some((9, Expired)), [0, 0, 0]),
        ("expired among the dead", vec![two(), queued(3), redriven(5), expired(9, DEAD_LETTERS)], Some((5, DeadLetter)), [0, 0, 0]),
        ("sightings first", vec![taken(2), queued(3), sent(4, &["a", "b"]), two()], Some((4, Delivered)), [0, 0, 0]),
        ("dead", vec![mail(Expected::DeadLetter), queued(3), redriven(9)], Some((9, DeadLetter)), [0, 0, 0]),
        ("sent though malformed", vec![mail(Expected::DeadLetter), sent(4, &["a"])], Some((4, Delivered)), [0, 0, 0]),
        (
            "fallback by subject",
            vec![mail(Expected::Fallback), published(4, FALLBACK, Some("[m-7-000001] x"), "")],
            Some((4, Fallback)),
            [0, 0, 0],
        ),
        (
            "fallback by title",
            vec![mail(Expected::Fallback), published(4, FALLBACK, None, r#"{"to":["a"],"title":"[m-7-000001] x"}"#)],
            Some((4, Fallback)),
            [0, 0, 0],
        ),
        ("fallback by id", vec![mail(Expected::Fallback), published(4, FALLBACK, None, "see id-1")], Some((4, Fallback)), [0, 0, 0]),
        ("an alarm", vec![mail(Expected::Fallback), published(4, ALARMS, Some("[m-7-000001]"), "")], None, [0, 0, 0]),
        (
            "two notices",
            vec![mail(Expected::Fallback), published(4, FALLBACK, None, "id-1"), published(5, FALLBACK, None, "id-1")],
            Some((4, Fallback)),
            [1, 0, 0],
        ),
        (
            "fallback and dead",
            vec![mail(Expected::Fallback), queued(3), published(4, FALLBACK, None, "id-1"), redriven(9)],
            Some((4, Fallback)),
            [0, 1, 0],
        ),
    ];
    for (name, history, first, [duplicated, doubles, lost]) in cases {
        let (ended, book) = told(&history);
        let firsts: Vec<_> = book.accounts().filter_map(|account| account.first).collect();
        assert_eq!(firsts, first.map(|(at, end)| (s(at), end)).into_iter().collect::<Vec<_>>(), "{name}");
        let told: Vec<_> = ended.iter().filter_map(|ended| ended.end).map(|(at, _)| at).collect();
        assert_eq!(told, firsts.iter().map(|(at, _)| *at).collect::<Vec<_>>(), "{name}");
        let table = table(&book);
        let found = [
            count(&table.of_these, "some reader or notice twice"),
            count(&table.of_these, "two ends"),
            count(&table.ends, "acknowledged and lost"),
        ];
        assert_eq!(found, [duplicated, doubles, lost], "{name}");
        assert_eq!(table.ends.iter().map(Row::total).sum::<u64>(), 1, "{name}");
    }
}

#[test]
fn a_disposition_names_message_phase_and_arrival() {
    let (ended, _) = told(&[taken(1), queued(3), mail(to(&["a"])), sent(4, &["a"])]);
    let expected = Ended {
        endpoint: "mail arrival -> disposition",
        identity: Some("q-1".into()),
        due: s(1),
        since: s(1),
        end: Some((s(4), Outcome::Answered)),
    };
    assert_eq!(ended, std::slice::from_ref(&expected));
    // If the acceptance was not seen, the time that the sender reports counts.
    let (ended, _) = told(&[queued(3), mail(to(&["a"])), sent(4, &["a"])]);
    assert_eq!(ended, [Ended { since: s(2), ..expected }]);
}

#[test]
fn a_refused_mail_has_no_account_and_an_unheard_one_is_counted() {
    let Event::Mail(mut refused) = mail(to(&["a"])) else { unreachable!() };
    refused.id = None;
    let (ended, book) = told(&[Event::Mail(refused), taken(2), sent(3, &["a"])]);
    assert_eq!((ended, book.accounts().count()), (vec![], 0));
    let table = table(&book);
    assert_eq!((table.taken, count(&table.ends, "taken, and the sender not told"), table.imbalance()), (1, 1, None));
}

#[test]
fn mails_without_an_end_are_reported() {
    let under_way = |since: u64, message: Option<&str>| {
        let (endpoint, identity) = ("mail arrival -> disposition", message.map(str::to_owned));
        vec![Ended { endpoint, identity, due: s(1), since: s(since), end: None }]
    };
    for (what, history, expected, waited_for) in [
        ("a mail that only its sender knows", vec![mail(to(&["a"]))], under_way(2, None), 1),
        ("a mail in the queue", vec![mail(to(&["a"])), taken(1), queued(3)], under_way(1, Some("q-1")), 1),
        ("a mail for two that one has", vec![mail(to(&["a", "b"])), queued(3), sent(4, &["a"])], under_way(2, Some("q-1")), 1),
        ("a mail that is lost", vec![mail(to(&["a"])), queued(3), deleted(4)], under_way(2, Some("q-1")), 0),
        ("a mail that was delivered", vec![mail(to(&["a"])), queued(3), sent(4, &["a"])], vec![], 0),
        ("a mail among the dead letters", vec![mail(to(&["a"])), queued(3), redriven(9)], vec![], 0),
    ] {
        let (_, book) = told(&history);
        assert_eq!((book.unfinished(), book.under_way()), (expected, waited_for), "{what}");
    }
}
