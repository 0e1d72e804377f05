//! A small exploration, for the tests of its files.

use super::model::{Cell, Done, End, Exploration, Finding, Journey, Outcome, Place, Step, Way};

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

fn done(outcome: Outcome, finding: Option<usize>) -> Cell {
    Cell::Done(Done { outcome, why: format!("it was {}", outcome.name()), root: "1-0000-1".into(), finding })
}

pub fn exploration() -> Exploration {
    let way = |letter, title: &str| Way { letter, title: title.into(), about: format!("The {title} case.") };
    let place = |name: &str, cells| Place { endpoint: "buy place".into(), place: format!("buy place: {name}"), cells };
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
            place(
                "worker > dynamodb:PutItem",
                vec![
                    done(Outcome::Unclear, None),
                    Cell::Impossible("it happens to invocations only".into()),
                    Cell::NotTried("budget".into()),
                ],
            ),
        ],
        findings: vec![finding()],
        journeys: vec![Journey {
            endpoint: "buy place".into(),
            seen: 40,
            steps: vec![Step::Invoked("worker".into()), Step::Called("dynamodb:PutItem".into())],
            effects: vec!["1 rows in Orders".into()],
        }],
        notes: vec!["pairs of faults were not tried".into()],
    }
}
