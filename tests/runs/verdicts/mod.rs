//! The harness cannot be fooled: a fault that did not strike, load that could not be sent and an
//! invalid file are never green.

mod bare;
mod deployed;
mod generator;
pub mod server;

use crate::support::{Outcome, Share};

fn clinic(fault: &str, rate: &str) -> String {
    format!(
        "question = \"Can it be fooled?\"\nsystems = [\"clinic\"]\nseed = 5\n[phases]\nwarm-up = \"1s\"\nbaseline = \"2s\"\nfault = \"5s\"\nrecovery = \"1s\"\n\
         [load]\nclinic = {{ rate = \"{rate}\" }}\n{fault}\n"
    )
}

/// Reasons and headline.
fn reasons(outcome: &Outcome) -> String {
    outcome.result()["reasons"].to_string() + &outcome.result()["sentence"].to_string()
}

const SLOW: &str = "[[fault]]\nfunction = \"appointments\"\nshare = 0.5\nlatency = { time = \"50ms\" }\n";

#[test]
fn a_fault_that_matches_nothing_is_not_shown() {
    let outcome = Share::Place.run(
        &clinic("[[fault]]\nfunction = \"appointments\"\nwhen = { path = \"/nowhere\" }\nlatency = { time = \"50ms\" }\n", "20/s"),
        &[],
    );
    assert_eq!(outcome.code, 4, "{}", outcome.story());
    assert!(reasons(&outcome).contains("struck"), "{}", outcome.story());
}

#[test]
fn a_rate_that_the_machine_cannot_send_is_not_shown_as_a_saturated_generator() {
    let outcome = Share::All.run(&clinic(SLOW, "20000/s"), &[]);
    assert_eq!(outcome.code, 4, "{}", outcome.story());
    assert!(reasons(&outcome).contains("saturated"), "{}", outcome.story());
}

#[test]
fn a_malformed_file_gets_all_complaints_with_columns_and_nothing_is_started() {
    let text = clinic(SLOW, "20/s")
        .replace("seed = 5", "sead = 5")
        .replace("appointments", "appointmints")
        .replace("time = \"50ms\"", "time = \"50\"");
    let outcome = Share::Place.run(&text, &[]);
    assert_eq!(outcome.code, 2, "{}", outcome.story());
    for place in [":3:1: ", "appointmints", "`50` is not a time", "nothing was started"] {
        assert!(outcome.stderr.contains(place), "{place} is missing: {}", outcome.stderr);
    }
    assert!(!outcome.folder.path().join("stack.json").exists());
    assert!(!outcome.folder.path().join("logs").exists());
}

#[test]
fn the_same_seed_strikes_the_same_requests_and_the_books_balance() {
    let struck = |seed: &str| {
        let outcome = Share::Place.run(&clinic(SLOW, "20/s"), &["--seed", seed]);
        let result = outcome.result();
        let books = &result["books"];
        let count = |key: &str| books[key].as_u64().unwrap();
        assert_eq!(count("sent"), count("answered") + count("failed") + count("timed_out") + count("cancelled"), "{}", outcome.story());
        assert!(result["discrepancies"].as_array().is_none_or(Vec::is_empty), "{}", outcome.story());
        let ledger = std::fs::read_to_string(outcome.folder.path().join("ledger.ndjson")).unwrap();
        let mut roots: Vec<_> = ledger
            .lines()
            .filter(|line| line.contains("\"treatment\""))
            .filter_map(|line| line.split("\"root\":\"").nth(1)?.split('"').next().map(str::to_owned))
            .collect();
        roots.sort();
        assert!(roots.len() > 10, "{}", outcome.story());
        roots
    };
    // The edges of the fault phase may differ by a request or two; requests in both runs were
    // struck in both.
    let [first, again, other] =
        std::thread::scope(|scope| ["5", "5", "6"].map(|seed| scope.spawn(move || struck(seed))).map(|run| run.join().unwrap()));
    let common = first.iter().filter(|root| again.contains(root)).count();
    assert!(common * 10 >= first.len().max(again.len()) * 9, "{common} of {} and {}", first.len(), again.len());
    assert_eq!(first.iter().filter(|root| other.contains(root)).count(), 0);
}

#[test]
fn a_stop_condition_ends_the_run_with_its_own_verdict() {
    let fault = "[[fault]]\nfunction = \"appointments\"\nerror = {}\n[stop]\nerrors = \"> 30% for 1s\"\n";
    let outcome = Share::Place.run(&clinic(fault, "30/s"), &[]);
    assert_eq!(outcome.code, 5, "{}", outcome.story());
}

/// Three tries at every read of the table, each of which may fail; the aim is on the requests that
/// were struck at least once.
fn failing_looks(roll: &str) -> Outcome {
    let fault = format!(
        "[[fault]]\nservice = \"dynamodb\"\noperation = \"GetItem\"\nshare = 0.3\nroll = \"{roll}\"\nerror = {{ type = \"InternalServerError\" }}\n\
         [[expect]]\nof = \"clinic GET /appointment/{{id}}\"\narm = \"struck\"\nerrors = \"<= 35%\"\n"
    );
    let text = clinic(&fault, "20/s").replace("fault = \"5s\"", "fault = \"20s\"");
    Share::Place.run(&text, &[])
}

#[test]
fn retries_that_win_are_held() {
    bare::says(&failing_looks("each-call"), bare::HELD, &["Every aim and every rule"], &["[]"]);
}

#[test]
fn retries_that_cannot_win_are_broken() {
    bare::says(
        &failing_looks("same-request"),
        bare::BROKEN,
        &["The system broke: `clinic GET /appointment/{id}` should keep errors at most 35"],
        &[],
    );
}
