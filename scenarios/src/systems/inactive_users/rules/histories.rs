//! Histories of members and what the book derives from them.

use std::time::Duration;

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table, Outcome, Phase};
use run_folder::Seen;

use super::book::MemberBook;
use super::dispositions::{Expired, SignIn};
use crate::Event;
use crate::exchange::{Asked, ByHand, Exchange, Said, SignInBy};
use crate::invariants::{Book, Ended, Quiet};
use crate::systems::inactive_users::{TABLE, sub};

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn saw(at: u64, seen: Seen) -> Event {
    Event::Saw { at: s(at), seen }
}

fn over(at: u64) -> Event {
    saw(at, Seen::RowExpired { table: TABLE.into(), key: sub("a"), event: at.to_string() })
}

fn disabled(at: u64, user: &str) -> Event {
    saw(at, Seen::UserDisabled { pool: "p".into(), user: user.into() })
}

fn given_up(at: u64, users: &[&str]) -> Event {
    let keys = users.iter().map(|user| sub(user)).collect();
    saw(at, Seen::StreamGivenUp { table: TABLE.into(), keys, to: None, message: None })
}

fn gone(at: u64, user: &str) -> Event {
    Event::ByHand { user: user.into(), at: s(at), act: ByHand::MemberDeleted }
}

/// The ends that were reported, in order, and the book.
fn told(history: &[Event]) -> (Vec<Ended>, MemberBook) {
    let mut book = MemberBook::default();
    let ended = history.iter().filter_map(|event| {
        book.see(event);
        book.ended()
    });
    let ended = ended.collect();
    book.settled(&Quiet::default());
    (ended, book)
}

fn tables(book: &MemberBook) -> [Table; 2] {
    book.tables(&|_| ArmTag::Untouched).try_into().unwrap()
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
        missed: None,
        told: None,
        began: None,
        struck: Vec::new(),
    }))
}

fn written(at: u64, user: &str) -> Event {
    saw(at, Seen::RowWritten { table: TABLE.into(), key: sub(user), expires: None, flags: Vec::new() })
}

#[test]
fn every_sign_in_has_its_outcome_and_the_tables_add_up() {
    use SignInBy::{Password, Refresh};
    let cases = [
        ("recorded", vec![sign_in("a", Password, 5, 7, Some(200)), written(6, "a")], Some(SignIn::Recorded)),
        ("the row is seen first", vec![written(6, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignIn::Recorded)),
        ("within a second", vec![written(4, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignIn::Recorded)),
        ("too old a row", vec![written(3, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignIn::Lost)),
        ("written later", vec![written(8, "a"), sign_in("a", Password, 5, 7, Some(200))], Some(SignIn::Lost)),
        ("somebody else's row", vec![written(6, "b"), sign_in("a", Password, 5, 7, Some(200))], Some(SignIn::Lost)),
        ("refused", vec![written(6, "a"), sign_in("a", Password, 5, 7, Some(400))], Some(SignIn::Refused)),
        ("failed", vec![sign_in("a", Password, 5, 7, Some(500))], Some(SignIn::Failed)),
        ("no answer", vec![sign_in("a", Password, 5, 7, None)], Some(SignIn::Failed)),
        ("a refresh", vec![sign_in("a", Refresh, 5, 7, Some(200))], None),
    ];
    for (name, history, fate) in cases {
        let [table, _] = tables(&told(&history).1);
        let counts: Vec<_> = table.ends.iter().map(Row::total).collect();
        let expected = [SignIn::Recorded, SignIn::Lost, SignIn::Refused, SignIn::Failed].map(|one| u64::from(fate == Some(one)));
        assert_eq!((counts, table.imbalance()), (expected.to_vec(), None), "{name}");
    }
}

#[test]
fn every_expiry_has_its_outcome_and_the_tables_add_up() {
    use Expired::{ActiveAgain, Disabled, GivenUp, Gone, InFlight};
    let cases = [
        ("in flight", vec![over(5)], vec![InFlight], None),
        ("disabled", vec![over(5), disabled(6, "a")], vec![Disabled], Some(6)),
        ("another is disabled", vec![over(5), disabled(6, "b")], vec![InFlight], None),
        ("seen in another order", vec![disabled(6, "a"), over(5)], vec![Disabled], None),
        ("disabled before", vec![disabled(4, "a"), over(5)], vec![InFlight], None),
        ("active again", vec![over(5), written(6, "a")], vec![ActiveAgain], None),
        ("disabled though active again", vec![over(5), written(6, "a"), disabled(7, "a")], vec![Disabled], Some(7)),
        ("gone", vec![gone(3, "a"), over(5)], vec![Gone], None),
        ("given up", vec![over(5), given_up(7, &["b", "a"])], vec![GivenUp], None),
        ("gone and given up", vec![gone(3, "a"), over(5), given_up(7, &["a"])], vec![GivenUp], None),
        ("twice", vec![over(5), written(6, "a"), over(9), disabled(10, "a")], vec![ActiveAgain, Disabled], Some(10)),
        ("a row that was only deleted", vec![disabled(6, "a")], vec![], None),
    ];
    for (name, history, fates, told_at) in cases {
        let (ended, book) = told(&history);
        let found: Vec<_> = book.expiries().map(|expiry| expiry.end).collect();
        assert_eq!(found, fates, "{name}");
        let disabled: Vec<_> = ended.into_iter().filter_map(|ended| ended.end).map(|(at, _)| at).collect();
        assert_eq!(disabled, told_at.map(s).into_iter().collect::<Vec<_>>(), "{name}");
        let [_, table] = tables(&book);
        assert_eq!((table.taken, table.imbalance()), (found.len() as u64, None), "{name}");
    }
}

#[test]
fn members_without_an_end_are_reported() {
    let member = || vec![Ended { endpoint: "inactive-users expiry -> disabled", identity: None, due: s(6), since: s(6), end: None }];
    for (what, history, expected, waited_for) in [
        ("nothing", vec![], vec![], 0),
        ("a member who is still enabled", vec![over(6)], member(), 1),
        ("a member whose record was given up", vec![over(6), given_up(9, &["a"])], member(), 0),
        ("a member who was disabled", vec![over(6), disabled(7, "a")], vec![], 0),
    ] {
        let (_, book) = told(&history);
        assert_eq!((book.unfinished(), book.under_way()), (expected, waited_for), "{what}");
    }
}

#[test]
fn the_outcome_of_an_expiry_is_not_forgotten() {
    let mut history = vec![written(1, "a"), over(5), written(6, "a"), written(8, "a"), over(9), disabled(10, "a")];
    history.extend((20..2_000).map(|at| written(at, "a")));
    let (_, book) = told(&history);
    assert_eq!(book.expiries().map(|expiry| expiry.end).collect::<Vec<_>>(), [Expired::ActiveAgain, Expired::Disabled]);
}
