//! `run --via fis`: the command starts FIS, whose document is played with the real boto3, and
//! however it ends, the function is restored.

use control_plane::Alarm;

use crate::cloud::{self, Cloud};
use crate::deployed::{LIMIT, REGION};
use crate::player::Player;
use crate::support::{self, Outcome, signal, within};

const VIA_FIS: [&str; 2] = ["--via", "fis"];

/// The states of FIS's experiments, without dry runs.
fn statuses(cloud: &Cloud) -> Vec<&'static str> {
    let plane = cloud.plane();
    let plane = plane.lock().unwrap();
    plane.plane.experiments.iter().filter(|it| !it.skips).map(|it| it.status.name()).collect()
}

#[test]
fn an_experiment_that_fis_drives_holds_and_leaves_the_functions_as_they_were() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    let Some(_player) = Player::start(&cloud) else { return };
    let before = cloud.function();
    let outcome = cloud.run_by(&VIA_FIS, &[]).end();
    let result = outcome.result();
    assert_eq!((result["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert!(result["struck"].as_u64().unwrap() > 20, "{}", outcome.story());
    assert_eq!(statuses(&cloud), ["completed"]);
    assert_eq!((cloud.function(), cloud.plan(), made(&cloud)), (before, None, (0, 0)), "{}", outcome.stderr);
    let report = std::fs::read_to_string(outcome.folder.path().join("report.html")).unwrap();
    for text in ["driven by AWS FIS, experiment", "completed (Experiment completed)"] {
        assert!(report.contains(text), "{report}");
    }
    assert!(outcome.stderr.contains("FIS's dry run found nothing wrong"), "{}", outcome.stderr);
    assert!(!crate::support::everything_below(outcome.folder.path()).contains(cloud::SECRET));
}

/// What runs have made in FIS and Systems Manager.
fn made(cloud: &Cloud) -> (usize, usize) {
    let plane = cloud.plane();
    let plane = &plane.lock().unwrap().plane;
    (plane.templates.len(), plane.documents.len())
}

#[test]
fn an_experiment_on_an_alias_that_fis_drives_leaves_no_version_and_no_share() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    let Some(_player) = Player::start(&cloud) else { return };
    cloud.call_it_by_an_alias();
    cloud.rewrite("fis-lead = \"8s\"", "fis-lead = \"40s\"");
    let before = cloud.function();
    let running = cloud.run_by(&VIA_FIS, &[]);
    within(LIMIT, "a share of the alias", || Some(cloud.versions()).filter(|(_, weights)| weights.get("2") == Some(&0.1)));
    assert_eq!(cloud.function(), before, "`$LATEST` is as it was while the version is struck");
    let outcome = running.end();
    assert_eq!((outcome.result()["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert!(outcome.result()["struck"].as_u64().unwrap() > 5, "{}", outcome.story());
    assert_eq!(cloud.versions(), (vec![1], std::collections::BTreeMap::new()), "{}", outcome.stderr);
    assert_eq!((cloud.function(), cloud.plan(), made(&cloud)), (before, None, (0, 0)), "{}", outcome.stderr);
    let broken = cloud.plane().lock().unwrap().plane.broken.clone();
    assert_eq!(broken, Vec::<String>::new(), "callers of the alias never saw a version that was gone or not ready");
}

#[test]
fn what_a_killed_run_made_for_fis_is_listed_and_deleted() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    let running = cloud.run_by(&VIA_FIS, &[]);
    within(LIMIT, "a template", || (made(&cloud) == (1, 1)).then_some(()));
    support::kill_all(running.pid());
    drop(running);
    let (code, listed, errors) = cloud.brownout(&["recover", "--list", "--region", REGION]);
    assert_eq!(code, 0, "{listed}{errors}");
    for line in ["experiment template EXT000000000000001 of FIS: run ", "document brownout-orders-strike: run "] {
        assert!(listed.contains(line), "{line}: {listed}");
    }
    let (code, said, errors) = cloud.brownout(&["recover", "--region", REGION]);
    assert_eq!((code, made(&cloud)), (0, (1, 1)), "a run that may still go on needs them: {said}{errors}");
    let (code, said, errors) = cloud.brownout(&["recover", "--all", "--region", REGION]);
    assert_eq!((code, made(&cloud)), (0, (0, 0)), "{said}{errors}");
}

/// Gives the experiment a stop alarm, which is in this state if it exists.
pub fn with_an_alarm(cloud: &Cloud, state: Option<&'static str>) {
    let arn = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow-orders";
    cloud.rewrite(
        "[[load.requests]]\nof = \"orders GET",
        &format!("[[aws.alarm]]\narn = \"{arn}\"\nmetric = \"AWS/ApiGateway Latency\"\n\n[[load.requests]]\nof = \"orders GET"),
    );
    raise(cloud, state);
}

fn raise(cloud: &Cloud, state: Option<&'static str>) {
    let alarm = state.map(|state| ("slow-orders".to_owned(), Alarm { state, is_composite: false }));
    cloud.plane().lock().unwrap().plane.alarms = alarm.into_iter().collect();
}

#[test]
fn a_stop_alarm_that_is_raised_missing_or_unreadable_ends_the_run_before_anything_is_made() {
    let _turn = support::Share::Place.take();
    for (state, is_readable, says) in [
        (Some("ALARM"), true, "alarm `slow-orders` is already in ALARM"),
        (None, true, "there is no alarm `slow-orders`"),
        (Some("OK"), false, "not authorized to perform: cloudwatch:DescribeAlarms"),
    ] {
        let cloud = Cloud::new();
        with_an_alarm(&cloud, state);
        if !is_readable {
            let allow = serde_json::json!({"Sid": "S", "Effect": "Allow", "Action": "*", "Resource": "arn:aws:lambda:*"});
            let policy = serde_json::json!({"Statement": [allow]});
            cloud.plane().lock().unwrap().plane.rights.hold(cloud::KEY, &policy).unwrap();
        }
        let before = cloud.function();
        let outcome = cloud.run_by(&VIA_FIS, &[]).end();
        assert_eq!(outcome.code, 2, "{}", outcome.story());
        assert!(outcome.stdout.contains(says) || outcome.stderr.contains(says), "{says}: {}", outcome.story());
        assert_eq!((cloud.function(), cloud.plan(), made(&cloud), statuses(&cloud)), (before, None, (0, 0), Vec::new()));
        let parameters = cloud.plane().lock().unwrap().plane.parameters.len();
        assert_eq!(parameters, 0, "{says}");
    }
}

/// Runs it until a plan with faults is there, disturbs it, and returns the outcome.
fn disturbed(cloud: &Cloud, disturb: impl FnOnce(u32)) -> Outcome {
    let running = cloud.run_by(&VIA_FIS, &[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
    disturb(running.pid());
    running.end()
}

#[test]
fn every_stop_restores_everything_first_and_the_verdict_says_what_stopped_it() {
    let _turn = support::Share::Place.take();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let cloud = Cloud::new();
            let Some(_player) = Player::start(&cloud) else { return };
            let before = cloud.function();
            let outcome = disturbed(&cloud, |pid| signal(pid, "INT"));
            assert_eq!((outcome.code, statuses(&cloud)), (130, vec!["stopped"]), "{}", outcome.story());
            assert_eq!((cloud.function(), cloud.plan()), (before, None), "{}", outcome.stderr);
        });
        scope.spawn(|| {
            let cloud = Cloud::new();
            let Some(_player) = Player::start(&cloud) else { return };
            let before = cloud.function();
            with_an_alarm(&cloud, Some("OK"));
            let outcome = disturbed(&cloud, |_| {
                raise(&cloud, Some("ALARM"));
                // FIS and brownout see it in the next seconds.
                std::thread::sleep(std::time::Duration::from_secs(2));
                let plane = cloud.plane();
                let plane = &mut plane.lock().unwrap().plane;
                let id = plane.experiments.iter().find(|it| !it.skips).unwrap().id.clone();
                assert!(plane.halt(&id, "Experiment halted by stop condition."));
            });
            assert_eq!((outcome.code, statuses(&cloud)), (5, vec!["stopped"]), "{}", outcome.story());
            assert!(outcome.stdout.contains("halted by stop condition"), "{}", outcome.story());
            let report = std::fs::read_to_string(outcome.folder.path().join("report.html")).unwrap();
            let told = report.split("stop alarm <code>slow-orders</code>: ").nth(1).unwrap_or_else(|| panic!("{report}"));
            assert!(told.starts_with("OK before the experiment, ALARM after ") && told.contains("s, ALARM afterwards"), "{told}");
            assert_eq!((cloud.function(), cloud.plan()), (before, None), "{}", outcome.stderr);
        });
        scope.spawn(|| {
            let cloud = Cloud::new();
            let Some(_player) = Player::start(&cloud) else { return };
            cloud.edit(|function| {
                (1..=5).for_each(|n| function.layers.push(format!("arn:aws:lambda:eu-central-1:123456789012:layer:l{n}:1")))
            });
            let before = cloud.function();
            let outcome = cloud.run_by(&VIA_FIS, &[]).end();
            assert_eq!((outcome.code, statuses(&cloud)), (2, vec!["failed"]), "{}", outcome.story());
            assert!(outcome.stdout.contains("has no place for a layer"), "{}", outcome.story());
            assert_eq!((cloud.function(), cloud.plan()), (before, None), "{}", outcome.stderr);
        });
    });
}
