//! A game day is carried out by the stand-in's FIS with the real documents: one experiment after the
//! other, each cleaned up before the next, and nothing after a stop.

use std::collections::BTreeMap;

use crate::automation::{Automation, Status};
use crate::bench::Bench;
use control_plane::{Play, Request};
use serde_json::{Value, json};

/// Makes a call, which must succeed.
fn call(bench: &Bench, target: Option<&str>, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let request = Request { method: "POST", path, query: "", target, principal: None, caller: None, body: body.as_bytes() };
    let answer = control_plane::answer(&mut bench.plane().plane, &request);
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    answer.body
}

/// Deploys what the exported stacks contain, and starts the day.
fn start(bench: &Bench) -> String {
    let day = crate::example::game_day();
    for experiment in &day.experiments {
        call(bench, Some("AmazonSSM.CreateDocument"), "/", &exports::create_document(experiment));
        bench.put(&experiment.faults_parameter(), &experiment.plan.to_json());
    }
    let template = call(bench, None, "/experimentTemplates", &exports::game_day_template(&day));
    let wish = json!({"clientToken": "t", "experimentTemplateId": template["experimentTemplate"]["id"]});
    call(bench, None, "/experiments", &wish)["experiment"]["id"].as_str().unwrap().to_owned()
}

/// The states of the experiment and of its actions.
fn states(bench: &Bench) -> (&'static str, BTreeMap<String, &'static str>) {
    let plane = bench.plane();
    let experiment = &plane.plane.experiments[0];
    (experiment.status.name(), experiment.actions.iter().map(|(name, action)| (name.clone(), action.status.name())).collect())
}

fn play(bench: &mut Bench, play: &Play) -> Status {
    let document = bench.host.read_yaml(&play.document);
    let execution = Automation::execute_with(&document, &play.parameters, crate::bench::RUN, &mut bench.host, None, None);
    let outcome = if execution.status == Status::Failed { Err(execution.failures.join("; ")) } else { Ok(()) };
    bench.plane().plane.played(play, outcome);
    execution.status
}

fn next(bench: &Bench) -> Option<Play> {
    bench.plane().plane.to_play()
}

fn later(bench: &Bench, seconds: u64) {
    bench.plane().plane.clock_ms += seconds * 1000;
}

#[test]
fn each_experiment_begins_when_the_one_before_has_cleaned_up_and_the_wait_is_over() {
    let Some(mut bench) = Bench::new() else { return };
    start(&bench);
    let first = next(&bench).unwrap();
    assert_eq!(
        (first.action.as_str(), first.parameters["Faults"].as_str()),
        ("01-slow-authorizer", Some("/brownout/slow-authorizer/faults"))
    );
    assert_eq!(next(&bench), None, "the second one waits for the first");
    assert_eq!((play(&mut bench, &first), bench.dirt()), (Status::Success, Vec::new()));
    assert_eq!(next(&bench), None, "five minutes are between them");
    later(&bench, 299);
    assert_eq!(next(&bench), None);
    later(&bench, 1);
    let second = next(&bench).unwrap();
    assert_eq!(
        (second.action.as_str(), second.parameters["Faults"].as_str()),
        ("03-slow-appointments", Some("/brownout/slow-appointments/faults"))
    );
    assert_eq!((play(&mut bench, &second), bench.dirt()), (Status::Success, Vec::new()));
    assert_eq!(next(&bench), None);
    assert!(states(&bench).1.values().all(|state| *state == "completed"), "{:?}", states(&bench));
    assert_eq!(states(&bench).0, "completed");
}

#[test]
fn nothing_is_struck_after_a_stop_between_two_experiments() {
    let Some(mut bench) = Bench::new() else { return };
    let id = start(&bench);
    let first = next(&bench).unwrap();
    play(&mut bench, &first);
    assert_eq!(next(&bench), None);
    assert!(bench.plane().plane.halt(&id, "Experiment halted by stop condition."));
    later(&bench, 3_600);
    assert_eq!((next(&bench), bench.dirt()), (None, Vec::new()));
    let (experiment, actions) = states(&bench);
    assert_eq!((experiment, actions["02-wait"], actions["03-slow-appointments"]), ("stopped", "stopped", "cancelled"));
}

#[test]
fn nothing_is_struck_after_an_experiment_that_failed() {
    let Some(mut bench) = Bench::new() else { return };
    start(&bench);
    let first = next(&bench).unwrap();
    bench.plane().plane.functions.get_mut("authorizer").unwrap().tags.clear();
    assert_eq!(play(&mut bench, &first), Status::Failed);
    later(&bench, 3_600);
    assert_eq!((next(&bench), bench.dirt()), (None, Vec::new()));
    let (experiment, actions) = states(&bench);
    assert_eq!((experiment, actions["03-slow-appointments"]), ("failed", "cancelled"));
}
