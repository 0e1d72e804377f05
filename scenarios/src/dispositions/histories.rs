//! Histories and what the books make of them.

use std::time::Duration;

use crate::systems::audit::NOTICES;
use crate::systems::inactive_users::{TABLE, sub};
use crate::systems::mail::{ALARMS, DEAD_LETTERS, FALLBACK, QUEUE};
use reports::{Outcome, Phase};
use run_folder::Seen;

use super::{Dispositions, ExpiryBooks, ExpiryFate, FirstEnd, MailBooks, SignInBooks, SignInFate, Unfinished};
use crate::Event;
use crate::exchange::{Asked, ByHand, Disposed, Disposition, Exchange, Expected, Mail, MailForm, Record, RecordForm, Said, SignInBy};

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

/// The ends that were told, in their order, and the books.
fn told(history: &[Event]) -> (Vec<Disposed>, MailBooks) {
    let mut dispositions = Dispositions::default();
    let disposed = history.iter().filter_map(|event| match dispositions.see(event)? {
        FirstEnd::Mail(disposed) => Some(disposed),
        FirstEnd::Record(_) => None,
    });
    let disposed = disposed.collect();
    let books = MailBooks::of(dispositions.mails());
    (disposed, books)
}

/// What happened, the first disposition and its time, and how many were duplicated, doubled and lost.
type History = (&'static str, Vec<Event>, Option<(u64, Disposition)>, [u64; 3]);

#[test]
fn every_history_of_a_mail_has_its_disposition_and_the_books_add_up() {
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
        let (disposed, books) = told(&history);
        let found: Vec<_> = disposed.iter().map(|one| (one.at, one.disposition)).collect();
        assert_eq!(found, first.map(|(at, end)| (s(at), end)).into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!((books.duplicated, books.doubles, books.lost), (duplicated, doubles, lost), "{name}");
        let ends = books.delivered + books.fallback + books.dead_letter + books.expired + books.lost + books.in_flight;
        assert_eq!((books.sent, books.taken, ends), (1, 1, 1), "{name}");
    }
}

#[test]
fn a_disposition_names_message_phase_and_arrival() {
    let (disposed, _) = told(&[taken(1), queued(3), mail(to(&["a"])), sent(4, &["a"])]);
    let expected = Disposed {
        id: "id-1".into(),
        message: "q-1".into(),
        phase: Some(Phase::Fault),
        arrived: s(1),
        at: s(4),
        disposition: Disposition::Delivered,
        right: true,
        struck: Vec::new(),
    };
    assert_eq!(disposed, std::slice::from_ref(&expected));
    // Where the taking was not seen, the sender's word counts.
    let (disposed, _) = told(&[queued(3), mail(to(&["a"])), sent(4, &["a"])]);
    assert_eq!(disposed, [Disposed { arrived: s(2), ..expected }]);
}

#[test]
fn a_mail_that_was_not_taken_is_sent_and_no_more_and_one_that_nobody_heard_of_is_named() {
    let mut dispositions = Dispositions::default();
    let Event::Mail(mut refused) = mail(to(&["a"])) else { unreachable!() };
    refused.id = None;
    dispositions.see(&Event::Mail(refused));
    dispositions.see(&taken(2));
    assert_eq!(dispositions.see(&sent(3, &["a"])), None);
    assert_eq!(MailBooks::of(dispositions.mails()), MailBooks { sent: 1, ..MailBooks::default() });
    assert_eq!((dispositions.taken(), dispositions.unheard()), (1, 1));
}

fn sign_in(user: &str, by: SignInBy, sent: u64, done: u64, status: Option<u16>) -> Event {
    Event::Exchange(Box::new(Exchange {
        endpoint: "inactive-users sign-in",
        root: format!("1-{sent}"),
        phase: Some(Phase::Fault),
        due: s(sent),
        sent: s(sent),
        done: s(done),
        outcome: match status {
            None => Outcome::TimedOut,
            Some(500..) => Outcome::Failed,
            Some(_) => Outcome::Answered,
        },
        status,
        method: "POST",
        path: "/".into(),
        asked: Asked::SignIn { user: user.into(), by },
        said: Said::default(),
        struck: Vec::new(),
    }))
}

fn written(at: u64, user: &str) -> Event {
    saw(at, Seen::RowWritten { table: TABLE.into(), key: sub(user), expires: None, flags: Vec::new() })
}

#[test]
fn every_sign_in_has_its_fate_and_the_books_add_up() {
    use SignInBy::{Password, Refresh};
    let cases = [
        ("recorded", vec![sign_in("a", Password, 5, 7, Some(200)), written(6, "a")], Some(SignInFate::Recorded)),
        ("the row is seen first", vec![written(6, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignInFate::Recorded)),
        ("within a second", vec![written(4, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignInFate::Recorded)),
        ("too old a row", vec![written(3, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignInFate::Lost)),
        ("written later", vec![written(8, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignInFate::Lost)),
        ("somebody else's row", vec![written(6, "b"), sign_in("a", Password, 5, 7, Some(200))], Some(SignInFate::Lost)),
        ("refused", vec![written(6, "a"), sign_in("a", Password, 5, 7, Some(400))], Some(SignInFate::Refused)),
        ("failed", vec![sign_in("a", Password, 5, 7, Some(500))], Some(SignInFate::Failed)),
        ("no answer", vec![sign_in("a", Password, 5, 7, None)], Some(SignInFate::Failed)),
        ("a refresh", vec![sign_in("a", Refresh, 5, 7, Some(200))], None),
    ];
    for (name, history, fate) in cases {
        let mut dispositions = Dispositions::default();
        history.iter().for_each(|event| drop(dispositions.see(event)));
        assert_eq!(dispositions.sign_ins().map(|account| account.fate).next(), fate, "{name}");
        let books = SignInBooks::of(dispositions.sign_ins());
        assert_eq!(books.asked, u64::from(fate.is_some()), "{name}");
        assert_eq!(books.granted, books.recorded + books.lost, "{name}");
        assert_eq!(books.asked, books.granted + books.refused + books.failed, "{name}");
    }
}

#[test]
fn every_expiry_has_its_fate_and_the_books_add_up() {
    let over = |at| saw(at, Seen::RowExpired { table: TABLE.into(), key: sub("a"), event: at.to_string() });
    let disabled = |at, user: &str| saw(at, Seen::UserDisabled { pool: "p".into(), user: user.into() });
    let given_up = |at, keys: &[&str]| {
        let keys = keys.iter().map(|user| sub(user)).collect();
        saw(at, Seen::StreamGivenUp { table: TABLE.into(), keys, to: None, message: None })
    };
    let gone = |at, user: &str| Event::ByHand { user: user.into(), at: s(at), act: ByHand::MemberDeleted };
    use ExpiryFate::{ActiveAgain, Disabled, GivenUp, Gone, InFlight};
    let cases = [
        ("in flight", vec![over(5)], vec![(InFlight, None)]),
        ("disabled", vec![over(5), disabled(6, "a")], vec![(Disabled, Some(6))]),
        ("another is disabled", vec![over(5), disabled(6, "b")], vec![(InFlight, None)]),
        ("seen in another order", vec![disabled(6, "a"), over(5)], vec![(Disabled, Some(6))]),
        ("disabled before", vec![disabled(4, "a"), over(5)], vec![(InFlight, None)]),
        ("active again", vec![over(5), written(6, "a")], vec![(ActiveAgain, Some(6))]),
        ("disabled though active again", vec![over(5), written(6, "a"), disabled(7, "a")], vec![(Disabled, Some(7))]),
        ("gone", vec![gone(3, "a"), over(5)], vec![(Gone, None)]),
        ("given up", vec![over(5), given_up(7, &["b", "a"])], vec![(GivenUp, Some(7))]),
        ("gone and given up", vec![gone(3, "a"), over(5), given_up(7, &["a"])], vec![(GivenUp, Some(7))]),
        ("twice", vec![over(5), written(6, "a"), over(9), disabled(10, "a")], vec![(ActiveAgain, Some(6)), (Disabled, Some(10))]),
        ("a row that was only deleted", vec![disabled(6, "a")], vec![]),
    ];
    for (name, history, fates) in cases {
        let mut dispositions = Dispositions::default();
        history.iter().for_each(|event| drop(dispositions.see(event)));
        let found: Vec<_> = dispositions.expiries().map(|account| (account.fate, account.ended)).collect();
        assert_eq!(found, fates.into_iter().map(|(fate, ended)| (fate, ended.map(s))).collect::<Vec<_>>(), "{name}");
        let books = ExpiryBooks::of(dispositions.expiries());
        let sum = books.disabled + books.given_up + books.gone + books.active_again + books.in_flight;
        assert_eq!((books.expired, sum), (found.len() as u64, found.len() as u64), "{name}");
    }
}

#[test]
fn what_has_not_come_to_its_end_is_told_once_and_what_has_is_not() {
    let row_expired = |at: u64, user: &str| saw(at, Seen::RowExpired { table: TABLE.into(), key: sub(user), event: at.to_string() });
    let disabled = |at: u64, user: &str| saw(at, Seen::UserDisabled { pool: "p".into(), user: user.into() });
    let given_up =
        |at: u64, user: &str| saw(at, Seen::StreamGivenUp { table: TABLE.into(), keys: vec![sub(user)], to: None, message: None });
    let mail_under_way = |arrived: u64, message: Option<&str>| {
        let (id, message, phase) = ("id-1".to_owned(), message.map(str::to_owned), Some(Phase::Fault));
        vec![Unfinished::Mail { id, message, arrived: s(arrived), phase }]
    };
    let member = |user: &str| vec![Unfinished::Expiry { key: sub(user), expired: s(6) }];
    let accepted = || {
        let (id, form) = ("a-1".to_owned(), RecordForm::Good);
        let record = Record { id, form, size: 1, etag: None, repeats: false, attempt: 0 };
        let Event::Exchange(exchange) = sign_in("m", SignInBy::Password, 1, 2, Some(200)) else { panic!("it is an exchange") };
        Event::Exchange(Box::new(Exchange { asked: Asked::Record(Box::new(record)), ..*exchange }))
    };
    let record = || vec![Unfinished::Record { root: "1-1".into(), accepted: s(2), phase: Some(Phase::Fault) }];
    let final_notice = r#"{"notice":"completed","sourceTransactionID":"a-1","status":"ok"}"#;
    for (what, history, expected) in [
        ("nothing", vec![], vec![]),
        ("a mail that only its sender knows", vec![mail(to(&["a"]))], mail_under_way(2, None)),
        ("a mail in the queue", vec![mail(to(&["a"])), taken(1), queued(3)], mail_under_way(1, Some("q-1"))),
        ("a mail for two that one has", vec![mail(to(&["a", "b"])), queued(3), sent(4, &["a"])], mail_under_way(2, Some("q-1"))),
        ("a mail that is lost", vec![mail(to(&["a"])), queued(3), deleted(4)], mail_under_way(2, Some("q-1"))),
        ("a mail that was delivered", vec![mail(to(&["a"])), queued(3), sent(4, &["a"])], vec![]),
        ("a mail among the dead letters", vec![mail(to(&["a"])), queued(3), redriven(9)], vec![]),
        ("a record that is under way", vec![accepted()], record()),
        ("a record that is closed", vec![accepted(), published(4, NOTICES, None, final_notice)], vec![]),
        ("a member who is still enabled", vec![row_expired(6, "m")], member("m")),
        ("a member whose record was given up", vec![row_expired(6, "m"), given_up(9, "m")], member("m")),
        ("a member who was disabled", vec![row_expired(6, "m"), disabled(7, "m")], vec![]),
    ] {
        let mut dispositions = Dispositions::default();
        history.iter().for_each(|event| drop(dispositions.see(event)));
        assert_eq!(dispositions.unfinished().collect::<Vec<_>>(), expected, "{what}");
    }
}
