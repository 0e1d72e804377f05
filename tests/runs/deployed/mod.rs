//! `run --target aws` and `run --via fis` as a user calls them: the real command and SDK.
//! Functions, extension and gateway are real processes of the local platform; only Lambda's control
//! plane, SSM and CloudWatch Logs are emulated. Attach, strike, calm and detach reach the functions
//! as they would on AWS.

mod brake;
mod fis;
mod layer;
mod rights;

use std::time::Duration;

use crate::cloud::{Cloud, LAYER, SECRET};
use crate::support::{signal, within};
use control_plane::REGION;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn an_experiment_on_deployed_functions_holds_and_leaves_them_as_they_were() {
    let _turn = crate::support::Share::Place.take();
    let cloud = Cloud::new();
    let before = cloud.function();
    let outcome = cloud.run(&[]).end();
    let result = outcome.result();
    assert_eq!(result["verdict"], "held", "{}", outcome.story());
    assert_eq!(outcome.code, 0, "{}", outcome.story());
    assert!(result["struck"].as_u64().unwrap() > 20, "{}", outcome.story());
    let effect = result["effects"].as_array().unwrap().iter().find(|effect| effect["endpoint"] == "orders GET /orders/{id}");
    assert!(effect.is_some(), "{}", outcome.story());
    assert_eq!(cloud.function(), before, "{}", outcome.stderr);
    assert_eq!(cloud.plan(), None);
    assert!(outcome.stderr.contains("`orders` is as it was"), "{}", outcome.stderr);
    let journal = std::fs::read_to_string(outcome.folder.path().join("journal.ndjson")).unwrap();
    assert!(journal.contains("attaching") && journal.contains("undoing"), "{journal}");
    let everything = crate::support::everything_below(outcome.folder.path());
    for (what, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr), ("the folder", &everything)] {
        assert!(!text.contains(SECRET), "a function's secret is in {what}");
    }
}

#[test]
fn if_callers_use_an_alias_a_new_version_gets_a_share_and_is_removed_again() {
    let _turn = crate::support::Share::Place.take();
    let cloud = Cloud::new();
    cloud.call_it_by_an_alias();
    let before = cloud.function();
    let running = cloud.run(&[]);
    within(LIMIT, "a share of the alias", || Some(cloud.versions()).filter(|(_, weights)| weights.get("2") == Some(&0.1)));
    let outcome = running.end();
    assert_eq!((outcome.result()["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert!(outcome.stderr.contains("version 2 of `orders` has the layer"), "{}", outcome.stderr);
    assert_eq!(cloud.versions(), (vec![1], std::collections::BTreeMap::new()), "{}", outcome.stderr);
    assert_eq!((cloud.function(), cloud.plan()), (before, None));
}

#[test]
fn what_a_killed_run_left_is_found_and_undone_from_the_functions_alone() {
    let _turn = crate::support::Share::Place.take();
    let cloud = Cloud::new();
    let before = cloud.function();
    let running = cloud.run(&[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
    crate::support::kill_all(running.pid());
    drop(running);
    assert!(cloud.function().layers.contains(&LAYER.to_owned()));
    let (code, listed, _) = cloud.brownout(&["recover", "--list", "--region", REGION]);
    assert_eq!(code, 0);
    let run = listed.split("run ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_else(|| panic!("{listed}")).to_owned();
    let (_, nothing, _) = cloud.brownout(&["recover", "--region", REGION]);
    assert!(nothing.contains("nothing to take out"), "a run that may still go on is not touched: {nothing}");
    let (code, said, errors) = cloud.brownout(&["recover", "--run", &run, "--region", REGION]);
    assert_eq!((code, said.contains("is out")), (0, true), "{said}{errors}");
    assert_eq!(cloud.function(), before);
    assert_eq!(cloud.plan(), None);
}

#[test]
fn a_command_that_is_killed_leaves_nothing_attached() {
    let _turn = crate::support::Share::Place.take();
    let cloud = Cloud::new();
    let before = cloud.function();
    let running = cloud.run(&[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
    signal(running.pid(), "KILL");
    within(LIMIT, "everything to be taken back", || (cloud.function() == before && cloud.plan().is_none()).then_some(()));
}

#[test]
fn a_stopped_brownout_aws_restores_everything_and_a_killed_one_is_reported() {
    let signals = [("TERM", 2, "was stopped, and has taken everything back"), ("KILL", 6, "brownout recover --run ")];
    crate::support::for_each(&signals, |&(name, code, says)| {
        let _turn = crate::support::Share::Place.take();
        let cloud = Cloud::new();
        let before = cloud.function();
        let running = cloud.run(&[]);
        within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
        let program = crate::support::children(running.pid());
        assert_eq!(program.len(), 1, "{program:?}");
        signal(program[0], name);
        let outcome = running.end();
        assert_eq!(outcome.code, code, "{name}: {}", outcome.story());
        assert!(outcome.stdout.contains(says), "{name}: {}", outcome.story());
        assert_eq!(cloud.function() == before, name == "TERM", "{name}");
    });
}

#[test]
fn a_run_that_is_stopped_restores_everything_first() {
    crate::support::for_each(&[("INT", 130), ("TERM", 143), ("HUP", 129)], |&(name, code)| {
        let _turn = crate::support::Share::Place.take();
        let cloud = Cloud::new();
        let before = cloud.function();
        let running = cloud.run(&[]);
        within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
        signal(running.pid(), name);
        let outcome = running.end();
        assert_eq!(outcome.code, code, "{name}: {}", outcome.story());
        assert_eq!(cloud.function(), before, "{name}");
        assert_eq!(cloud.plan(), None, "{name}");
    });
}

#[test]
fn a_function_whose_team_has_not_allowed_it_is_not_touched() {
    let cloud = Cloud::new();
    let before = cloud.function();
    for (tags, arguments, code, says) in [
        (&[][..], &[][..], 2, "does not carry the tag `brownout=allowed`"),
        (&[("brownout", "allowed"), ("stage", "prod-eu")], &[], 2, "is production by its tag `stage=prod-eu`; `--yes`"),
    ] {
        cloud.tag(tags);
        let outcome = cloud.run(arguments).end();
        assert_eq!(outcome.code, code, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
        assert_eq!(cloud.function(), before);
        assert_eq!(cloud.plan(), None);
    }
}

#[test]
fn a_plan_says_what_would_be_changed_and_changes_nothing() {
    let cloud = Cloud::new();
    let before = cloud.function();
    let (_, said, errors) = cloud.brownout(&["doctor", &cloud.file()]);
    for line in ["ok    `orders` can be attached to", "s from AWS's", "135 invocations at once at the worst, and the account has 1000"] {
        assert!(said.contains(line), "{line}: {said}{errors}");
    }
    let (code, said, errors) = cloud.brownout(&["plan", &cloud.file()]);
    assert_eq!(code, 0, "{said}{errors}");
    for line in [&format!("+ {LAYER}"), "1 of the function's own, untouched", "+ BROWNOUT_PLAN=ssm:/brownout/orders/plan", "PutParameter"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains(SECRET));
    cloud.edit(|function| (1..=5).for_each(|n| function.layers.push(format!("arn:aws:lambda:eu-central-1:123456789012:layer:l{n}:1"))));
    let (code, said, errors) = cloud.brownout(&["plan", &cloud.file()]);
    assert_eq!(code, 2, "{said}{errors}");
    assert!(said.contains("refused: it has `5` layers"), "{said}");
    let (code, said, errors) = cloud.brownout(&["doctor", &cloud.file()]);
    assert_eq!(code, 2, "{said}{errors}");
    assert!(said.contains("FAIL  `orders`: it has `5` layers, and 5 are the most\n      merge two of them"), "{said}");
    cloud.edit(|function| function.layers.clear());
    assert_eq!(cloud.function(), before);
}
