//! Every rule of execution, on a clock that advances only when a task waits for it.

mod parts;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::error_equals::TIMEOUT;
use crate::payload::LARGEST_PAYLOAD;

/// What a task does in one of its tries.
#[derive(Clone)]
enum Does {
    Gives(Value),
    Echoes,
    Fails(&'static str),
    Takes(u64, Box<Does>),
}

/// Tasks that behave as listed, by state and try; the last entry of a list also serves every
/// further try.
struct Script {
    told: BTreeMap<&'static str, Vec<Does>>,
    seen: Mutex<Vec<(String, u32, Value, Duration)>>,
    began: Instant,
}

#[async_trait]
impl Tasks for Script {
    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Value, Failure> {
        let at = self.began.elapsed();
        self.seen.lock().unwrap().push((attempt.state.to_owned(), attempt.number, attempt.input.clone(), at));
        let told = &self.told[attempt.state];
        let mut does = told[(attempt.number as usize - 1).min(told.len() - 1)].clone();
        loop {
            does = match does {
                Does::Gives(value) => return Ok(value),
                Does::Echoes => return Ok(attempt.input.clone()),
                Does::Fails(error) => return Err(Failure::new(error, "because")),
                Does::Takes(seconds, then) => {
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                    *then
                }
            }
        }
    }
}

struct Ran {
    outcome: Outcome,
    seen: Vec<(String, u32, Value, Duration)>,
    history: History,
    took: Duration,
}

impl Ran {
    fn error(&self) -> &str {
        if let Outcome::Failed(failure) = &self.outcome { &failure.error } else { panic!("{:?}", self.outcome) }
    }

    fn output(&self) -> &Value {
        if let Outcome::Succeeded(output) = &self.outcome { output } else { panic!("{:?}", self.outcome) }
    }

    fn tries(&self, state: &str) -> u32 {
        self.history.tries().get(state).copied().unwrap_or_default()
    }

    fn seconds(&self) -> Vec<u64> {
        self.seen.iter().map(|(.., at)| at.as_secs()).collect()
    }

    fn told(&self) -> Vec<String> {
        let word = |what: &What| match what {
            What::Entered(_, name, _) => format!("+{name}"),
            What::Exited(_, name, _) => format!("-{name}"),
            What::TaskFailed(_, failure) => format!("failed {}", failure.error),
            What::TaskSucceeded(..) => "succeeded".to_owned(),
            What::TaskTimedOut(..) => "timed out".to_owned(),
            What::TaskAborted => "aborted".to_owned(),
            What::ParallelFailed => "branch failed".to_owned(),
            What::MapStarted(items) => format!("{items} items"),
            What::IterationStarted(_, index) => format!("+{index}"),
            What::IterationSucceeded(_, index) => format!("-{index}"),
            What::IterationFailed(_, index) => format!("{index} failed"),
            What::IterationAborted(_, index) => format!("{index} aborted"),
            What::MapSucceeded => "all items".to_owned(),
            What::MapFailed => "item failed".to_owned(),
            What::Failed(failure) => format!("end {}", failure.error),
            What::Succeeded(_) => "end".to_owned(),
            _ => String::new(),
        };
        self.history.events().iter().map(|event| word(&event.what)).filter(|word| !word.is_empty()).collect()
    }
}

async fn ran(definition: Value, input: Value, told: &[(&'static str, &[Does])]) -> Ran {
    ran_at(1, definition, input, told).await
}

async fn ran_at(pace: u32, definition: Value, input: Value, told: &[(&'static str, &[Does])]) -> Ran {
    let definition = Definition::read(&definition).unwrap();
    let told = told.iter().map(|(state, does)| (*state, does.to_vec())).collect();
    let script = Script { told, seen: Mutex::default(), began: Instant::now() };
    let execution = Execution {
        id: "arn:execution".into(),
        name: "one".into(),
        input,
        started: "2026-01-31T12:00:00.000Z".into(),
        machine_id: "arn:machine".into(),
        machine_name: "machine".into(),
        pace,
    };
    let history = History::begin();
    let outcome = run(&definition, &execution, &script, &history).await;
    Ran { outcome, took: script.began.elapsed(), seen: script.seen.into_inner().unwrap(), history }
}

/// One task with these additional fields.
fn one(fields: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": "arn:work", "End": true});
    task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "Work", "States": {"Work": task}})
}

fn retry(errors: &[&str], most: u32) -> Value {
    json!({"Retry": [{"ErrorEquals": errors, "MaxAttempts": most}]})
}

#[tokio::test(start_paused = true)]
async fn input_and_output_are_processed_in_the_order_of_the_guide() {
    let fields = json!({
        "InputPath": "$.in", "Parameters": {"x.$": "$.x", "name.$": "$$.Execution.Name", "state.$": "$$.State.Name", "whole.$": "$$.Execution.Input.other"},
        "ResultSelector": {"got.$": "$.answer"}, "ResultPath": "$.result", "OutputPath": "$.result",
    });
    let given = Does::Gives(json!({"answer": 42, "more": 1}));
    let ran = ran(one(fields), json!({"in": {"x": 1}, "other": 2}), &[("Work", &[given])]).await;
    assert_eq!(ran.seen[0].2, json!({"x": 1, "name": "one", "state": "Work", "whole": 2}));
    assert_eq!(ran.output(), &json!({"got": 42}));
    for (fields, output) in [
        (json!({}), json!("r")),
        (json!({"ResultPath": null}), json!({"a": {"b": 1}})),
        (json!({"ResultPath": "$.a.c"}), json!({"a": {"b": 1, "c": "r"}})),
        (json!({"OutputPath": null}), json!({})),
        (json!({"InputPath": "$.a", "ResultPath": "$.r"}), json!({"a": {"b": 1}, "r": "r"})),
    ] {
        let ran = self::ran(one(fields.clone()), json!({"a": {"b": 1}}), &[("Work", &[Does::Gives(json!("r"))])]).await;
        assert_eq!(ran.output(), &output, "{fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_is_retried_after_growing_waits_and_then_given_up() {
    let ran = ran(one(retry(&["E"], 4)), json!({}), &[("Work", &[Does::Fails("E")])]).await;
    assert_eq!((ran.error(), ran.tries("Work"), ran.seconds()), ("E", 5, vec![0, 1, 3, 7, 15]));
    let numbers: Vec<u32> = ran.seen.iter().map(|(_, number, ..)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(ran.told(), ["+Work", "failed E", "failed E", "failed E", "failed E", "failed E", "end E"]);
    let heals = self::ran(one(retry(&["E"], 4)), json!({}), &[("Work", &[Does::Fails("E"), Does::Gives(json!(1))])]).await;
    assert_eq!((heals.output(), heals.tries("Work"), heals.took), (&json!(1), 2, Duration::from_secs(1)));
    let unlisted = self::ran(one(retry(&["E"], 4)), json!({}), &[("Work", &[Does::Fails("Other")])]).await;
    assert_eq!((unlisted.error(), unlisted.tries("Work")), ("Other", 1));
}

#[tokio::test(start_paused = true)]
async fn jitter_is_the_same_in_every_run_and_no_wait_is_longer_than_the_longest() {
    let fields = json!({"Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 6, "JitterStrategy": "FULL", "MaxDelaySeconds": 5}]});
    let times = || async { ran(one(fields.clone()), json!({}), &[("Work", &[Does::Fails("E")])]).await.seen };
    let (first, second) = (times().await, times().await);
    assert_eq!(first, second);
    assert!(first.windows(2).all(|pair| pair[1].3 - pair[0].3 <= Duration::from_secs(5)), "{first:?}");
    assert_ne!(first.last().unwrap().3, Duration::from_secs(1 + 2 + 4 + 5 + 5 + 5));
}

#[tokio::test(start_paused = true)]
async fn a_task_over_its_time_fails_with_the_timeout() {
    let slow = Does::Takes(10, Box::new(Does::Gives(json!(1))));
    let fields = |errors: &str| json!({"TimeoutSeconds": 3, "Retry": [{"ErrorEquals": [errors], "MaxAttempts": 1}]});
    for (errors, tries, seconds) in [("States.Timeout", 2, 7), ("States.ALL", 2, 7), ("States.TaskFailed", 1, 3)] {
        let ran = ran(one(fields(errors)), json!({}), &[("Work", std::slice::from_ref(&slow))]).await;
        assert_eq!((ran.error(), ran.tries("Work"), ran.took.as_secs()), (TIMEOUT, tries, seconds), "{errors}");
        assert!(ran.told().contains(&"timed out".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_error_goes_to_the_first_catcher_that_matches() {
    let definition = json!({"StartAt": "Work", "States": {
        "Work": {
            "Type": "Task", "Resource": "r", "Next": "Well", "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": ["F"], "Next": "Well"}, {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Told"}],
        },
        "Told": {"Type": "Task", "Resource": "r", "Parameters": {"id.$": "$.id", "error.$": "$.error.Error"}, "ResultPath": null, "Next": "Badly"},
        "Badly": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "States.Format('of {}: {}', $.id, $.error.Cause)"},
        "Well": {"Type": "Succeed"},
    }});
    let ran = ran(definition.clone(), json!({"id": 7}), &[("Work", &[Does::Fails("E")]), ("Told", &[Does::Echoes])]).await;
    assert_eq!(ran.outcome, Outcome::Failed(Failure::new("E", "of 7: because")));
    assert_eq!(ran.seen[2].2, json!({"id": 7, "error": "E"}));
    assert_eq!(ran.told(), ["+Work", "failed E", "failed E", "-Work", "+Told", "succeeded", "-Told", "+Badly", "end E"]);
    let other = self::ran(definition, json!({"id": 7}), &[("Work", &[Does::Fails("F")])]).await;
    assert_eq!(other.output(), &json!({"Error": "F", "Cause": "because"}));
}

/// Two branches, and the handling of an error.
fn both(fields: Value) -> Value {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Task", "Resource": "r", "End": true}}});
    let mut both = json!({"Type": "Parallel", "Branches": [branch("A"), branch("B")], "End": true});
    both.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "Both", "States": {"Both": both}})
}

#[tokio::test(start_paused = true)]
async fn branches_run_concurrently_and_return_a_list_in_their_order() {
    let slow = Does::Takes(5, Box::new(Does::Gives(json!("a"))));
    let quick = Does::Takes(3, Box::new(Does::Gives(json!("b"))));
    let ran = ran(both(json!({"ResultPath": "$.results"})), json!({"x": 1}), &[("A", &[slow]), ("B", &[quick])]).await;
    assert_eq!((ran.output(), ran.took.as_secs()), (&json!({"x": 1, "results": ["a", "b"]}), 5));
}

#[tokio::test(start_paused = true)]
async fn the_first_branch_that_fails_ends_the_others_and_its_error_is_the_state_s() {
    let slow = Does::Takes(50, Box::new(Does::Gives(json!("a"))));
    let fails = Does::Takes(3, Box::new(Does::Fails("E")));
    let ran = ran(both(json!({})), json!({}), &[("A", std::slice::from_ref(&slow)), ("B", std::slice::from_ref(&fails))]).await;
    assert_eq!((ran.error(), ran.took.as_secs()), ("E", 3));
    assert_eq!(ran.told(), ["+Both", "+A", "+B", "failed E", "aborted", "branch failed", "end E"]);
    // A retry runs the whole of it again, and each try counts.
    let heals = [fails, Does::Gives(json!("b"))];
    let ran = self::ran(both(retry(&["E"], 1)), json!({}), &[("A", &[slow.clone(), Does::Gives(json!("a"))]), ("B", &heals)]).await;
    assert_eq!((ran.output(), ran.tries("Both"), ran.tries("A"), ran.tries("B")), (&json!(["a", "b"]), 2, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_path_without_a_value_fails_the_execution_whatever_is_caught() {
    let caught =
        json!({"Retry": [{"ErrorEquals": ["States.ALL"]}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Well"}], "Next": "Well"});
    for fields in [
        json!({"InputPath": "$.gone"}),
        json!({"Parameters": {"a.$": "$.gone"}}),
        json!({"Parameters": {"a.$": "States.StringToJson($.gone)"}}),
        json!({"ResultSelector": {"a.$": "$.gone"}}),
        json!({"OutputPath": "$.gone"}),
    ] {
        let mut task = json!({"Type": "Task", "Resource": "r"});
        task.as_object_mut().unwrap().extend(caught.as_object().unwrap().clone());
        task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let definition = json!({"StartAt": "Work", "States": {"Work": task, "Well": {"Type": "Succeed"}}});
        let ran = ran(definition, json!({"x": "no json"}), &[("Work", &[Does::Gives(json!({}))])]).await;
        assert_eq!((ran.error(), ran.tries("Work")), (RUNTIME, 1), "{fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_too_large_is_an_error_that_no_wildcard_catches() {
    let large = || json!("x".repeat(LARGEST_PAYLOAD - 1));
    let fits = json!("x".repeat(LARGEST_PAYLOAD - 2));
    let caught = |errors: &str| json!({"Catch": [{"ErrorEquals": [errors], "Next": "Well"}], "Next": "Well"});
    let definition = |fields: Value, errors: &str| {
        let mut task = json!({"Type": "Task", "Resource": "r"});
        task.as_object_mut().unwrap().extend(caught(errors).as_object().unwrap().clone());
        task.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"StartAt": "Work", "States": {"Work": task, "Well": {"Type": "Succeed"}}})
    };
    let too_large = "States.DataLimitExceeded";
    for (fields, given) in [
        (json!({}), large()),
        (json!({"Parameters": {"a.$": "States.Format('{}{}', $.h, $.h)"}}), json!(1)),
        (json!({"ResultPath": "$.r"}), json!("x".repeat(LARGEST_PAYLOAD / 2))),
    ] {
        let input = json!({"h": "x".repeat(LARGEST_PAYLOAD / 2)});
        for wildcard in ["States.ALL", "States.TaskFailed"] {
            let ran = ran(definition(fields.clone(), wildcard), input.clone(), &[("Work", &[Does::Gives(given.clone())])]).await;
            assert_eq!(ran.error(), too_large, "{fields} {wildcard}");
        }
        let named = ran(definition(fields, too_large), input, &[("Work", &[Does::Gives(given)])]).await;
        assert_eq!(named.output()["Error"], too_large);
    }
    let ran = ran(definition(json!({}), "States.ALL"), json!({}), &[("Work", &[Does::Gives(fits.clone())])]).await;
    assert_eq!(ran.output(), &fits);
}

#[tokio::test(start_paused = true)]
async fn a_result_path_that_cannot_be_applied_can_be_caught() {
    let definition = json!({"StartAt": "Work", "States": {
        "Work": {"Type": "Task", "Resource": "r", "ResultPath": "$.a.b", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Well"}], "Next": "Well"},
        "Well": {"Type": "Succeed", "InputPath": "$.Error"},
    }});
    let ran = ran(definition, json!({"a": 1}), &[("Work", &[Does::Gives(json!(1))])]).await;
    assert_eq!(ran.output(), &json!("States.ResultPathMatchFailure"));
}

#[tokio::test(start_paused = true)]
async fn an_execution_beyond_its_timeout_times_out() {
    let mut definition = one(json!({}));
    definition["TimeoutSeconds"] = json!(4);
    let ran = ran(definition, json!({}), &[("Work", &[Does::Takes(60, Box::new(Does::Echoes))])]).await;
    assert_eq!((&ran.outcome, ran.took.as_secs()), (&Outcome::TimedOut, 4));
    assert_eq!(ran.told(), ["+Work", "aborted"]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_transforms_its_input() {
    let pass = |fields: Value| {
        let mut pass = json!({"Type": "Pass", "End": true});
        pass.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"StartAt": "P", "States": {"P": pass}})
    };
    for (fields, output) in [
        (json!({}), json!({"a": 1})),
        (json!({"Result": 2}), json!(2)),
        (json!({"Result": 2, "ResultPath": "$.b"}), json!({"a": 1, "b": 2})),
        (
            json!({"Parameters": {"c.$": "$.a", "m.$": "$$.StateMachine.Name", "r.$": "$$.State.RetryCount"}}),
            json!({"c": 1, "m": "machine", "r": 0}),
        ),
    ] {
        let ran = ran(pass(fields.clone()), json!({"a": 1}), &[]).await;
        assert_eq!(ran.output(), &output, "{fields}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_in_a_loop_ends_with_its_history_full() {
    let definition = json!({"StartAt": "A", "States": {
        "A": {"Type": "Task", "Resource": "r", "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "A"}], "End": true},
    }});
    let ran = ran(definition, json!({}), &[("A", &[Does::Fails("E")])]).await;
    assert_eq!(ran.error(), RUNTIME);
    assert!((25_000..25_010).contains(&ran.history.events().len()), "{}", ran.history.events().len());
}

#[tokio::test(start_paused = true)]
async fn every_event_follows_an_earlier_one_and_has_its_time() {
    let ran = ran(both(json!({})), json!({}), &[("A", &[Does::Takes(2, Box::new(Does::Echoes))]), ("B", &[Does::Echoes])]).await;
    let events = ran.history.events();
    assert!(events.iter().enumerate().all(|(index, event)| event.id == index as u64 + 1 && event.previous < event.id));
    assert!(events.is_sorted_by_key(|event| event.at));
    assert_eq!(events.last().unwrap().at, Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_function_that_cannot_take_its_arguments_can_be_caught() {
    let definition = json!({"StartAt": "Work", "States": {
        "Work": {
            "Type": "Task", "Resource": "r", "Parameters": {"a.$": "States.StringToJson($.x)"}, "Next": "Well",
            "Catch": [{"ErrorEquals": ["States.IntrinsicFailure"], "Next": "Well"}],
        },
        "Well": {"Type": "Succeed", "InputPath": "$.Error"},
    }});
    let ran = ran(definition, json!({"x": "no json"}), &[]).await;
    assert_eq!(ran.output(), &json!("States.IntrinsicFailure"));
}

#[tokio::test(start_paused = true)]
async fn a_task_s_time_can_come_from_its_input() {
    let slow = Does::Takes(10, Box::new(Does::Gives(json!(1))));
    let fields = json!({"TimeoutSecondsPath": "$.most"});
    let ran = ran(one(fields.clone()), json!({"most": 3}), &[("Work", std::slice::from_ref(&slow))]).await;
    assert_eq!((ran.error(), ran.took.as_secs()), (TIMEOUT, 3));
    let enough = self::ran(one(fields.clone()), json!({"most": 30}), &[("Work", std::slice::from_ref(&slow))]).await;
    assert_eq!(enough.output(), &json!(1));
    let missing = self::ran(one(fields), json!({}), &[("Work", &[slow])]).await;
    assert_eq!(missing.error(), RUNTIME);
}
