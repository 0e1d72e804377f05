//! The weaknesses of the example `orders`, each of which `brownout explore` finds without being told where,
//! and the example as it is, in which it finds nothing.

use std::fs::{read_to_string, write};
use std::path::Path;
use std::process::Command;

use super::{Explored, explored};
use crate::own_stack::{can_run, copy_of_orders, orders};
use crate::support::{BROWNOUT, Share};

/// A weakness, and the rule, the place and the smallest case that `explore` names; several where time decides.
type Weakness = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// Changes the example in a folder as `patch -p1` does it.
fn apply(patch: &str, folder: &Path) {
    let (_, changes) = patch.split_once("--- a/").unwrap();
    let file = folder.join(changes.lines().next().unwrap());
    let mut text = read_to_string(&file).unwrap();
    for hunk in changes.split("\n@@ ").skip(1) {
        let side = |other: char| {
            let lines = hunk.lines().skip(1).filter(|line| !line.starts_with(other));
            lines.map(|line| format!("{}\n", line.get(1..).unwrap_or_default())).collect::<String>()
        };
        assert!(text.contains(&side('+')), "{} has no such lines:\n{}", file.display(), side('+'));
        text = text.replacen(&side('+'), &side('-'), 1);
    }
    write(file, text).unwrap();
}

/// Explores the example with these weaknesses, without the journey that only looks.
fn explored_with(weaknesses: &[Weakness]) -> Explored {
    let folder = copy_of_orders();
    weaknesses.iter().for_each(|(name, ..)| apply(&about(name), folder.path()));
    let text = read_to_string(orders().join("brownout.toml")).unwrap();
    let (before, rest) = text.split_once("[[journey]]\nname = \"miss\"").unwrap();
    let (_, rules) = rest.split_once("[[rule]]").unwrap();
    let file = folder.path().join("brownout.toml");
    write(&file, format!("{before}[[rule]]{rules}")).unwrap();
    explored(&mut Command::new(BROWNOUT), &file, folder, &["--budget", "60"])
}

/// A weakness as its file describes and makes it.
fn about(name: &str) -> String {
    read_to_string(orders().join(format!("weak/{name}.patch"))).unwrap()
}

/// Each of these weaknesses is found at its place, with its smallest case.
fn are_found(weaknesses: &[Weakness]) {
    if !can_run() {
        return;
    }
    let _turn = Share::Sixth.take();
    let explored = explored_with(weaknesses);
    let found = explored.findings();
    assert_eq!(explored.code, if weaknesses.is_empty() { 0 } else { 3 }, "{}", explored.story());
    assert!(!weaknesses.is_empty() || found.is_empty(), "{}", explored.story());
    for (name, rule, place, ways) in weaknesses {
        let smallest = |found: &str| found.split(", ").next().is_some_and(|way| ways.contains(&way));
        let is_it = |found: &&(String, String, String)| found.0 == *rule && found.1 == *place && smallest(&found.2);
        assert!(found.iter().any(|one| is_it(&one)), "{name}: {}", explored.story());
        assert!(about(name).contains(place), "{name}: its description names the place");
    }
}

#[test]
fn nothing_is_found_in_the_example_as_it_is() {
    are_found(&[]);
}

// They change other lines, so they are explored together.
#[test]
fn a_count_of_deliveries_a_write_before_its_check_a_short_timeout_and_an_unawaited_promise_are_found() {
    are_found(&[
        ("not-idempotent", "an order is one parcel", "buy place: WorkerFunction", &["lost answer"]),
        ("write-before-check", "T-4", "buy place: CreditFunction", &["lost answer"]),
        ("short-timeout", "T-5", "buy place: CreditFunction", &["slow"]),
        // The repeat after one error is sent when the environment wakes for its next request, if there is one.
        ("unawaited-promise", "a note is kept", "buy note: NoteFunction > dynamodb:UpdateItem", &["error", "outage"]),
    ]);
}

#[test]
#[ignore = "takes minutes; `tests/runs/explore/app` has a swallowed error too"]
fn a_swallowed_error_is_found() {
    are_found(&[("swallowed-error", "an accepted order is stored once", "buy place: PlaceFunction > dynamodb:PutItem", &["denied"])]);
}
