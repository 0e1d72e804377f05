//! Every weakness of the published forms, switched on alone, is found by the experiment that should find it, under exactly its own name;
//! with all off nothing fires and no token stands in anything that is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use support::{SHORT, run, shortened};

/// Weakness, the experiment that should find it, the invariant that names it.
const FOUND: [(&str, &str, &str); 11] = [
    ("shadow-write-not-awaited", "lost-shadow-write", "A-3"),
    ("shadow-error-swallowed", "lost-shadow-write", "A-3"),
    ("token-not-verified", "quiet", "A-6"),
    ("outage-reads-as-denial", "decision-point-down", "A-5"),
    ("mode-dropped", "quiet", "A-4"),
    ("device-dies-on-reject", "quiet", "A-7"),
    ("policy-names-one-path", "quiet", "B-2"),
    ("error-cached-as-deny", "failing-authorizer", "B-3"),
    ("one-namespace-for-both-pools", "quiet", "B-5"),
    ("claims-not-checked", "quiet", "B-1"),
    ("keys-fetched-once", "quiet", "B-6"),
];

fn finds(weakness: &str) {
    let (_, experiment, invariant) = FOUND.iter().find(|(name, _, _)| *name == weakness).unwrap();
    let outcome = run(&shortened(experiment, SHORT), &["--weakness", weakness]);
    assert_eq!(outcome.broken(), [*invariant], "{}", outcome.story());
    assert_eq!(outcome.result()["verdict"], "broken", "{}", outcome.story());
    assert_eq!(outcome.code, 3, "{}", outcome.story());
}

macro_rules! weaknesses {
    ($($test:ident: $name:literal;)*) => {
        $(#[test] fn $test() { finds($name); })*

        #[test]
        fn every_weakness_has_its_test() {
            let mut tested = vec![$($name),*];
            let mut found: Vec<_> = FOUND.iter().map(|(name, _, _)| *name).collect();
            tested.sort_unstable();
            found.sort_unstable();
            assert_eq!(tested, found);
        }
    };
}

weaknesses! {
    a_write_that_is_not_awaited_is_found: "shadow-write-not-awaited";
    a_swallowed_error_is_found: "shadow-error-swallowed";
    an_unverified_token_is_found: "token-not-verified";
    an_outage_that_reads_as_a_denial_is_found: "outage-reads-as-denial";
    a_dropped_mode_is_found: "mode-dropped";
    a_device_that_dies_is_found: "device-dies-on-reject";
    a_policy_for_one_path_is_found: "policy-names-one-path";
    a_cached_error_is_found: "error-cached-as-deny";
    a_shared_namespace_is_found: "one-namespace-for-both-pools";
    unchecked_claims_are_found: "claims-not-checked";
    keys_that_are_never_read_again_are_found: "keys-fetched-once";
}

fn holds(experiment: &str) {
    let outcome = run(&shortened(experiment, SHORT), &[]);
    assert_eq!(outcome.broken(), Vec::<String>::new(), "{}", outcome.story());
    assert_ne!(outcome.result()["verdict"], "broken", "{}", outcome.story());
    assert!([0, 4].contains(&outcome.code), "{}", outcome.story());
    // B-7: every token begins with the base64 of `{"`.
    let with_token =
        files(outcome.folder.path()).into_iter().filter(|path| std::fs::read_to_string(path).is_ok_and(|text| text.contains("eyJ")));
    assert_eq!(with_token.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_hardened_form_survives_a_slow_authorizer() {
    holds("slow-authorizer");
}

#[test]
fn the_hardened_form_survives_a_failing_decision_point_of_the_clinic() {
    holds("failing-authorizer");
}

#[test]
fn the_hardened_form_survives_a_failing_decision_point_of_the_thermostats() {
    holds("decision-point-down");
}

#[test]
fn the_hardened_form_survives_a_slow_and_failing_shadow_service() {
    holds("lost-shadow-write");
}

#[test]
fn the_hardened_form_is_quiet_when_nothing_is_wrong() {
    holds("quiet");
}

#[test]
fn the_published_form_is_broken_and_every_weakness_is_named() {
    let outcome = run(&shortened("published-form", SHORT), &[]);
    let mut expected: Vec<_> = FOUND.iter().map(|(_, _, invariant)| (*invariant).to_owned()).collect();
    expected.sort();
    expected.dedup();
    let broken = outcome.broken();
    for invariant in &expected {
        assert!(broken.contains(invariant), "{invariant} is missing: {}", outcome.story());
    }
    assert_eq!(outcome.code, 3);
}
