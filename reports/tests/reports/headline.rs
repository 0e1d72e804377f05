//! What a reader sees first: the cards of `report.html` and the sentence.

use crate::support::runs::{aim, balance, delay, empty, phases, record, rule, tag};
use reports::formats::html;
use reports::{Bound, Latencies, Measurements, Outcome, Phase, Rolls, Tag, Verdict, judge};

/// 20 s of baseline and 40 s of fault at 10 requests a second; 7 of the baseline fail, and 11 of the fault phase, of which 2 time out.
fn measured() -> Measurements {
    let spans = phases(&[(Phase::Baseline, 20), (Phase::Fault, 40)]);
    let mut measured = empty(spans, vec![delay("slow")], vec![aim(Bound::P50("1s".parse().unwrap()))]);
    for second in 0..60 {
        for n in 0..10 {
            // The fault is about eight of ten requests and strikes half of those.
            let rolls = if second < 20 || n >= 8 { Rolls::NONE } else { Rolls::one(0, n % 2 == 0) };
            let outcome = match (second, n) {
                (0..7, 9) | (20..29, 9) => Outcome::Failed,
                (40..42, 9) => Outcome::TimedOut,
                _ => Outcome::Answered,
            };
            let phase = if second < 20 { Phase::Baseline } else { Phase::Fault };
            record(&mut measured, second, &Tag { outcome, ..tag(phase, rolls) }, 20_000.0 + f64::from(n), n % 4 == 1);
        }
    }
    balance(&mut measured);
    measured
}

/// The cards of the page: the large and the small text.
fn cards(measured: &Measurements) -> Vec<(String, String)> {
    let page = html::write(&judge(measured), &Latencies::default());
    let list = page.split("<ul class=\"chips\">").nth(1).unwrap().split("</ul>").next().unwrap();
    let cards = list.split("<li><b>").skip(1).map(|card| card.split_once("</b><span>").unwrap());
    cards.map(|(large, small)| (large.to_owned(), small.split("</span>").next().unwrap().to_owned())).collect()
}

#[test]
fn failed_requests_are_on_a_card() {
    let cards = cards(&measured());
    let failed = ("18 requests failed".to_owned(), "of 600 sent; baseline 7 of 200, fault phase 11 of 400".to_owned());
    assert!(cards.contains(&failed), "{cards:#?}");
}

#[test]
fn the_struck_card_names_the_eligible_and_all_requests() {
    let cards = cards(&measured());
    let struck = ("160 of 160 struck".to_owned(), "of 320 eligible invocations; 400 requests in the fault phase".to_owned());
    assert!(cards.contains(&struck), "{cards:#?}");
}

#[test]
fn rules_that_were_not_exercised_are_named_in_the_sentence_and_others_are_not() {
    let mut measured = measured();
    measured.experiment.any_errors = vec![tag(Phase::Fault, Rolls::NONE).endpoint];
    measured.invariants.extend([rule("B-3", 0), rule("C-5", 0)]);
    let report = judge(&measured);
    assert_eq!(report.verdict, Verdict::Held, "{:#?}", report.reasons);
    assert!(report.sentence.contains("Not exercised: B-3, C-5."), "{}", report.sentence);
    assert!(!report.sentence.contains("A-1"), "{}", report.sentence);
}

#[test]
fn what_no_rule_can_check_on_this_target_is_named_in_the_sentence() {
    let mut measured = measured();
    measured.experiment.any_errors = vec![tag(Phase::Fault, Rolls::NONE).endpoint];
    assert!(!judge(&measured).sentence.contains("Not checked"));
    measured.unchecked = vec!["what happens behind the answers".into(), "what leaves the cache".into()];
    let report = judge(&measured);
    assert_eq!(report.verdict, Verdict::Held, "{:#?}", report.reasons);
    let says = "Not checked on this target: what happens behind the answers; what leaves the cache.";
    assert!(report.sentence.contains(says), "{}", report.sentence);
}

#[test]
fn failed_requests_are_never_called_served() {
    let mut measured = measured();
    let endpoint = tag(Phase::Fault, Rolls::NONE).endpoint;
    (measured.experiment.any_errors, measured.experiment.expectations) = (vec![endpoint.clone()], vec![]);
    let report = judge(&measured);
    assert_eq!(report.verdict, Verdict::Held, "{:#?}", report.reasons);
    assert!(report.sentence.starts_with("582 of 600 requests were served and every rule"), "{}", report.sentence);
    let hidden = format!("Errors are let go by `errors = \"any\"` at `{endpoint}` (18 of 600 failed).");
    assert!(report.sentence.contains(&hidden), "{}", report.sentence);
}

#[test]
fn a_recovery_with_too_few_requests_is_not_called_failed() {
    let large = |measured: &Measurements| cards(measured)[2].0.clone();
    let with_recovery = |requests: u32, outcome: Outcome| {
        let mut measured = measured();
        measured.phases = phases(&[(Phase::Baseline, 20), (Phase::Fault, 40), (Phase::Recovery, 10)]);
        (0..requests)
            .for_each(|n| record(&mut measured, 60 + n % 10, &Tag { outcome, ..tag(Phase::Recovery, Rolls::NONE) }, 20_000.0, false));
        balance(&mut measured);
        measured
    };
    assert_eq!(large(&measured()), "recovery not measured");
    assert_eq!(large(&with_recovery(4, Outcome::Answered)), "recovery not measured");
    assert_eq!(large(&with_recovery(100, Outcome::Answered)), "recovered at once");
    assert_eq!(large(&with_recovery(100, Outcome::Failed)), "not recovered");
}
