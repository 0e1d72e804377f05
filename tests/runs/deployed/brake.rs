//! The faults can always be stopped: by a signal while SSM does not answer, or through the
//! parameter itself; and a service that refuses a renewal ends the run before the lease does.

use std::time::{Duration, Instant};

use control_plane::Edit;

use crate::cloud::{Cloud, LAYER, Started};
use crate::deployed::{LIMIT, REGION};
use crate::player::Player;
use crate::support::{self, Outcome, signal, within};

/// A run whose faults are in force.
fn struck(cloud: &Cloud) -> Started {
    let running = cloud.run(&[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency") && !plan.contains("\"share\":0.0")));
    running
}

fn is_as_it_was(cloud: &Cloud, before: &control_plane::Configuration, outcome: &Outcome) {
    assert_eq!((&cloud.function(), cloud.plan()), (before, None), "{}", outcome.stderr);
}

#[test]
fn a_signal_stops_the_run_while_ssm_refuses_and_without_one_it_ends_before_its_lease() {
    let _turn = support::Share::Place.take();
    std::thread::scope(|scope| {
        for name in [Some(("INT", 130)), Some(("TERM", 143)), Some(("HUP", 129)), None] {
            scope.spawn(move || {
                let cloud = Cloud::new();
                let before = cloud.function();
                let running = struck(&cloud);
                cloud.plane().lock().unwrap().plane.throttled.insert("PutParameter".into());
                // Long enough for a renewal to be due and refused.
                std::thread::sleep(Duration::from_secs(2));
                if let Some((name, _)) = name {
                    signal(running.pid(), name);
                }
                let begun = Instant::now();
                let outcome = running.end();
                assert!(begun.elapsed() < LIMIT, "as long as a call is tried elsewhere");
                assert_eq!(outcome.code, name.map_or(2, |(_, code)| code), "{}", outcome.story());
                if name.is_none() {
                    assert!(outcome.stdout.contains("the faults cannot be kept in force"), "{}", outcome.story());
                }
                is_as_it_was(&cloud, &before, &outcome);
            });
        }
    });
}

#[test]
fn deleting_or_replacing_the_plan_stops_the_run_and_the_verdict_says_so() {
    let _turn = support::Share::Place.take();
    std::thread::scope(|scope| {
        for (value, how) in [(None, "another process deleted"), (Some("off"), "another process replaced")] {
            scope.spawn(move || {
                let cloud = Cloud::new();
                let before = cloud.function();
                let running = struck(&cloud);
                let name = cloud.plan_parameter().unwrap();
                cloud.plane().lock().unwrap().plane.set_parameter(&name, value);
                let outcome = running.end();
                assert_eq!(outcome.code, 5, "{}", outcome.story());
                let said = format!("{how} `ssm:{name}`");
                assert!(outcome.result()["sentence"].to_string().contains(&said), "{said}: {}", outcome.story());
                is_as_it_was(&cloud, &before, &outcome);
            });
        }
    });
}

#[test]
fn a_function_whose_undo_record_another_user_removes_is_still_restored() {
    let _turn = support::Share::Place.take();
    std::thread::scope(|scope| {
        for how in [["--target", "aws"], ["--via", "fis"]] {
            scope.spawn(move || {
                let cloud = Cloud::new();
                let Some(_player) = Player::start(&cloud) else { return };
                let before = cloud.function();
                let running = cloud.run_by(&how, &[]);
                within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
                let unset = Edit::Unset("BROWNOUT_UNDO".into());
                assert!(cloud.plane().lock().unwrap().plane.edit("orders", &unset), "it is there");
                let outcome = running.end();
                is_as_it_was(&cloud, &before, &outcome);
            });
        }
    });
}

#[test]
fn a_deployment_during_the_run_is_named_at_the_end_and_by_recover() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    let before = cloud.function();
    let running = struck(&cloud);
    assert!(cloud.plane().lock().unwrap().plane.edit("orders", &Edit::Publish));
    let outcome = running.end();
    assert_eq!(outcome.code, 6, "{}", outcome.story());
    let said = "version 1 of `orders` was published while the layer was on it";
    assert!(outcome.stdout.contains(said), "{}", outcome.story());
    is_as_it_was(&cloud, &before, &outcome);
    let (code, listed, _) = cloud.brownout(&["recover", "--list", "--region", REGION]);
    assert!(code == 0 && listed.contains(said), "{listed}");
    let (code, _, errors) = cloud.brownout(&["recover", "--all", "--region", REGION]);
    assert!(code == 6 && errors.contains(said), "{errors}");
    // The version belongs to another user and stays; it does not read the next run's plan.
    let version = cloud.plane().lock().unwrap().plane.functions["orders"].versions[&1].clone();
    assert!(version.layers.contains(&LAYER.to_owned()));
    let running = struck(&cloud);
    let next = cloud.plan_parameter().unwrap();
    assert_ne!(version.variables["BROWNOUT_PLAN"], format!("ssm:{next}"));
    signal(running.pid(), "INT");
    running.end();
}
