//! A small exploration, for the tests of its files.

use super::model::{Cell, Done, End, Exploration, Finding, Injection, Journey, Outcome, Pair, Pairs, Place, Step, Way, Why};

pub fn finding() -> Finding {
    Finding {
        number: 1,
        rule: "T-2".into(),
        text: "no row is made twice".into(),
        place: Some("buy place: worker".into()),
        ways: vec!["duplicate".into(), "lost answer".into()],
        asked: "POST /orders".into(),
        answered: "2 rows in Orders".into(),
        expected: "1 row in Orders, as without a fault".into(),
        repeat: "curl <http://$GATEWAY/orders>".into(),
        root: "1-0000-1".into(),
        command: "brownout explore brownout.toml --seed 7".into(),
        experiment: Ok("explore/1.toml".into()),
        accepted: None,
    }
}

/// A finding that only a pair shows.
pub fn finding_of_pair() -> Finding {
    Finding {
        number: 2,
        rule: "T-1".into(),
        text: "an order is stored".into(),
        place: Some("buy place: place > dynamodb:PutItem + buy place: late".into()),
        ways: vec!["outage + error".into()],
        experiment: Ok("explore/2.toml".into()),
        ..finding()
    }
}

fn done(outcome: Outcome, finding: Option<usize>) -> Cell {
    Cell::Done(ended(outcome, finding))
}

fn ended(outcome: Outcome, finding: Option<usize>) -> Done {
    Done { outcome, why: format!("it was {}", outcome.name()), root: "1-0000-1".into(), finding }
}

fn injection(place: &str, way: &str) -> Injection {
    Injection { place: format!("buy place: {place}"), way: way.into() }
}

fn pairs() -> Pairs {
    let first = || injection("place > dynamodb:PutItem", "outage");
    let pair = |second: Injection, why, done| Pair { first: first(), second, why, done };
    let done = vec![
        pair(injection("late", "lost answer"), Why::Opened, ended(Outcome::Unclear, None)),
        pair(injection("late", "error"), Why::Opened, ended(Outcome::Broken, Some(2))),
        pair(injection("worker", "error"), Why::Both, ended(Outcome::Held, None)),
    ];
    Pairs { possible: 7, done }
}

pub fn exploration() -> Exploration {
    let way = |letter, title: &str| Way { letter, title: title.into(), about: format!("The {title} case.") };
    let place = |name: &str, cells| Place { endpoint: "buy place".into(), place: format!("buy place: {name}"), under: None, cells };
    let impossible = || Cell::Impossible("it happens to invocations only".into());
    let opened = place("late", vec![done(Outcome::Unclear, None), impossible(), done(Outcome::Broken, Some(2))]);
    Exploration {
        name: "brownout".into(),
        seed: 7,
        version: "1".into(),
        command: "brownout explore brownout.toml".into(),
        took_s: 61.5,
        end: End::Complete,
        followed: 40,
        waves: 2,
        ways: vec![way('L', "lost answer"), way('D', "duplicate"), way('E', "error")],
        places: vec![
            place("worker", vec![done(Outcome::Degraded, None), done(Outcome::Broken, Some(1)), done(Outcome::Held, None)]),
            place("worker > dynamodb:PutItem", vec![done(Outcome::Unclear, None), impossible(), Cell::NotTried("budget".into())]),
            Place { under: Some(injection("place > dynamodb:PutItem", "outage")), ..opened },
        ],
        pairs: pairs(),
        findings: vec![finding(), finding_of_pair()],
        journeys: vec![Journey {
            endpoint: "buy place".into(),
            seen: 40,
            steps: vec![Step::Invoked("worker".into()), Step::Called("dynamodb:PutItem".into())],
            effects: vec!["1 rows in Orders".into()],
        }],
        notes: vec!["1 cases are unclear".into()],
    }
}
