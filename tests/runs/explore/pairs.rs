//! A weakness that only two faults show: an order is queued when its table fails, and nobody is told when
//! the queue fails too.

use std::process::{Command, Stdio};

use serde_json::Value;

use super::{BROWNOUT, Explored, app_of};
use crate::support::Share;

/// Both faults, the second at a place that only the first opens.
const PAIR: &str = "buy place: place > dynamodb:PutItem + buy place: place > sqs:SendMessage";

/// What they break.
const RULE: &str = "an accepted order is stored";

/// The first pairs that are tried, with the weakness and without it.
const FIRST: [&str; 3] = [
    "buy place: place > dynamodb:PutItem by outage and buy place: place > sqs:SendMessage by lost answer",
    "buy place: place > dynamodb:PutItem by outage and buy place: store by lost answer",
    "buy place: place > dynamodb:PutItem by outage and buy place: store > dynamodb:PutItem by lost answer",
];

fn fallback(mended: &str, arguments: &[&str]) -> Explored {
    let only = ["--only", "service:dynamodb:PutItem"];
    app_of(("fallback.toml", "fallback.yaml"), mended, &[&only[..], arguments].concat())
}

impl Explored {
    fn pairs(&self) -> Vec<Value> {
        self.json()["pairs"]["done"].as_array().unwrap().clone()
    }

    /// Place and way of both, in the order of the report.
    fn names(&self) -> Vec<String> {
        let name = |one: &Value| format!("{} by {}", one["place"].as_str().unwrap(), one["way"].as_str().unwrap());
        self.pairs().iter().map(|pair| format!("{} and {}", name(&pair["first"]), name(&pair["second"]))).collect()
    }

    fn count(&self, name: &str) -> u64 {
        self.json()["coverage"]["pairs"][name].as_u64().unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("out").join(name)).unwrap()
    }
}

#[test]
fn a_fallback_that_is_swallowed_is_found_as_a_pair_and_its_experiment_has_both_faults() {
    let _turn = Share::Sixth.take();
    let explored = fallback("", &["--pairs", "12"]);
    let found = explored.findings();
    assert_eq!(explored.code, 3, "{}", explored.story());
    assert!(!found.is_empty() && found.iter().all(|(rule, place, _)| rule == RULE && place == PAIR), "{}", explored.story());
    assert!(found[0].2.split(", ").all(|ways| ["outage + outage", "outage + denied"].contains(&ways)), "{}", explored.story());
    assert_eq!(explored.names()[..3], FIRST, "{}", explored.story());
    let opened: Vec<_> = explored.pairs().into_iter().filter(|pair| pair["why"] == "opened").collect();
    assert!(opened.iter().any(|pair| pair["second"]["place"] == "buy place: store"), "{opened:?}");
    assert!(explored.count("tried") <= 12 && explored.count("possible") > 12 && explored.count("broken") > 0, "{}", explored.story());
    assert!(explored.file("explore.html").contains("only under buy place: place &gt; dynamodb:PutItem, outage"));
    assert!(explored.file("explore.xml").contains("place &gt; dynamodb:PutItem + buy place: place &gt; sqs:SendMessage"));
    let experiment: toml::Table = explored.file("explore/1.toml").parse().unwrap();
    let struck: Vec<_> = experiment["fault"].as_array().unwrap().iter().map(|fault| fault["operation"].as_str().unwrap()).collect();
    assert_eq!(struck, ["PutItem", "SendMessage"]);
    let check = Command::new(BROWNOUT).arg("check").arg(explored.folder.path().join("out/explore/1.toml")).stdin(Stdio::null()).status();
    assert!(check.unwrap().success());
}

#[test]
fn no_pair_breaks_the_mended_fallback() {
    let _turn = Share::Sixth.take();
    let explored = fallback("queue", &["--pairs", "10"]);
    assert_eq!((explored.code, explored.findings()), (0, vec![]), "{}", explored.story());
    assert_eq!(explored.names()[..3], FIRST, "{}", explored.story());
    assert!(explored.count("tried") > 0 && explored.count("broken") == 0, "{}", explored.story());
}
