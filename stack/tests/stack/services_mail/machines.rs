//! State machines over HTTP: standard and express ones, what their histories tell, and those that
//! cannot be started here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use stack::invoke::{Invoke, LateInvoke};
use stack::platform::{InvokeError, Invoked};
use stack::services::stepfunctions::{execution_arn, machine_arn};
use states::Definition;
use template::blueprint::{Blueprint, Machine, MachineKind};

use super::stage::Stage;

/// Doubles a number; an order of 13 is refused with an error of the function's own.
struct Doubles;

#[async_trait]
impl Invoke for Doubles {
    async fn invoke(&self, _function: &str, event: Bytes, _trace: Option<&str>) -> Result<Invoked, InvokeError> {
        let number: i64 = serde_json::from_slice(&event).unwrap();
        let (payload, failed) = match number {
            13 => (json!({"errorType": "UnluckyOrder", "errorMessage": "13"}), true),
            other => (json!(other * 2), false),
        };
        Ok(Invoked { request_id: "r".into(), payload: Bytes::from(payload.to_string()), failed })
    }
}

/// Doubles every number of a list, if there is one, and then waits.
fn definition() -> Value {
    let function = "arn:aws:lambda:us-east-1:123456789012:function:double";
    let work = json!({"StartAt": "Double", "States": {"Double": {"Type": "Task", "Resource": function, "End": true}}});
    json!({"StartAt": "Any", "States": {
        "Any": {"Type": "Choice", "Choices": [{"Variable": "$.list[0]", "IsPresent": true, "Next": "All"}], "Default": "Nothing"},
        "All": {
            "Type": "Map", "ItemsPath": "$.list", "ItemProcessor": work, "MaxConcurrency": 2, "ResultPath": "$.doubled", "Next": "Rest",
            "Catch": [{"ErrorEquals": ["UnluckyOrder"], "ResultPath": "$.error", "Next": "Nothing"}],
        },
        "Rest": {"Type": "Wait", "SecondsPath": "$.rest", "End": true},
        "Nothing": {"Type": "Fail", "Error": "NothingDone", "CausePath": "States.Format('of {}', $.name)"},
    }})
}

async fn stage() -> Stage {
    let machine = |name: &str, kind, definition: Result<Definition, String>| Machine { name: name.into(), kind, definition };
    let read = || Ok(Definition::read(&definition()).unwrap());
    let machines = vec![
        machine("standard", MachineKind::Standard, read()),
        machine("express", MachineKind::Express, read()),
        machine("later", MachineKind::Standard, Err("Definition.QueryLanguage: JSONata is not served here".to_owned())),
    ];
    let invoke = LateInvoke::default();
    invoke.put(Arc::new(Doubles));
    Stage::up_with(Blueprint { machines, ..Blueprint::default() }, 60, invoke).await
}

fn asked(machine: &str, input: &Value) -> Value {
    json!({"stateMachineArn": machine_arn(machine), "name": "one", "input": input.to_string()})
}

#[tokio::test]
async fn an_express_machine_answers_its_caller() {
    let stage = stage().await;
    let input = json!({"list": [1, 2, 3], "rest": 6, "name": "x"});
    let done = stage.states("StartSyncExecution", asked("express", &input)).await.json();
    assert_eq!((&done["status"], &done["name"]), (&json!("SUCCEEDED"), &json!("one")), "{done}");
    let output: Value = serde_json::from_str(done["output"].as_str().unwrap()).unwrap();
    assert_eq!(output["doubled"], json!([2, 4, 6]));
    assert!(done["executionArn"].as_str().unwrap().contains(":express:express:one:"), "{done}");
    assert!(done["billingDetails"]["billedDurationInMilliseconds"].as_u64().is_some_and(|billed| billed % 100 == 0));
    let failed = stage.states("StartSyncExecution", asked("express", &json!({"list": [], "name": "x"}))).await.json();
    assert_eq!((&failed["status"], &failed["error"], &failed["cause"]), (&json!("FAILED"), &json!("NothingDone"), &json!("of x")));
    // The same name again is another execution.
    assert_eq!(stage.states("StartExecution", asked("express", &input)).await.status, 200);
    assert_eq!(stage.services.machines.executions("express").len(), 3);
}

#[tokio::test]
async fn each_kind_refuses_the_operations_of_the_other() {
    let stage = stage().await;
    for (operation, machine) in [("StartSyncExecution", "standard"), ("ListExecutions", "express")] {
        let refused = stage.states(operation, asked(machine, &json!({}))).await;
        assert_eq!((refused.status, refused.header("x-amzn-errortype")), (400, Some("StateMachineTypeNotSupported")), "{operation}");
    }
}

#[tokio::test]
async fn a_machine_that_is_not_served_says_why_when_it_is_started() {
    let stage = stage().await;
    let refused = stage.states("StartExecution", asked("later", &json!({}))).await;
    assert_eq!((refused.status, refused.header("x-amzn-errortype")), (400, Some("InvalidDefinition")));
    assert!(
        refused.text().contains("`later` cannot be started on this machine") && refused.text().contains("JSONata"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn the_history_has_the_events_of_each_state_and_the_function_s_own_error() {
    let stage = stage().await;
    assert_eq!(stage.states("StartExecution", asked("standard", &json!({"list": [1, 13], "name": "x"}))).await.status, 200);
    let about = json!({"executionArn": execution_arn("standard", "one")});
    let status = async || stage.states("DescribeExecution", about.clone()).await.json()["status"].clone();
    let mut left = 200;
    while status().await == "RUNNING" && left > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        left -= 1;
    }
    assert_eq!(status().await, "FAILED");
    let history = stage.states("GetExecutionHistory", about).await.json();
    let events = history["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    for kind in [
        "ChoiceStateEntered",
        "ChoiceStateExited",
        "MapStateEntered",
        "MapStateStarted",
        "MapIterationStarted",
        "LambdaFunctionFailed",
        "MapIterationFailed",
        "MapStateFailed",
        "MapStateExited",
        "FailStateEntered",
        "ExecutionFailed",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    let find = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap();
    assert_eq!(find("LambdaFunctionFailed")["lambdaFunctionFailedEventDetails"]["error"], "UnluckyOrder");
    assert_eq!(find("MapStateStarted")["mapStateStartedEventDetails"], json!({"length": 2}));
    assert_eq!(find("MapIterationFailed")["mapIterationFailedEventDetails"], json!({"name": "All", "index": 1}));
    let rows = stage.send("GET", "/brownout/rows?service=states&thing=standard%2Fone", &[], "").await.json();
    assert_eq!(rows["total"].as_u64(), Some(events.len() as u64), "the page shows the history");
}

#[tokio::test]
async fn a_standard_execution_is_stopped_where_it_is_and_one_that_has_ended_stays() {
    let stage = stage().await;
    let started = stage.states("StartExecution", asked("standard", &json!({"list": [1], "rest": 3_000_000, "name": "x"}))).await.json();
    let arn = started["executionArn"].as_str().unwrap();
    let describe = || async { stage.states("DescribeExecution", json!({"executionArn": arn})).await.json() };
    assert_eq!(describe().await["status"], "RUNNING");
    let stop = || json!({"executionArn": arn, "error": "Cancelled", "cause": "by the user"});
    let stopped = stage.states("StopExecution", stop()).await;
    let (status, at) = (stopped.status, stopped.json()["stopDate"].clone());
    let described = describe().await;
    assert_eq!((status, &described["status"], &described["stopDate"]), (200, &json!("ABORTED"), &at), "{described}");
    assert_eq!((&described["error"], &described["cause"]), (&json!("Cancelled"), &json!("by the user")));
    let history = stage.states("GetExecutionHistory", json!({"executionArn": arn, "reverseOrder": true})).await.json();
    let last = &history["events"][0];
    assert_eq!(last["type"], "ExecutionAborted", "{last}");
    assert_eq!(last["executionAbortedEventDetails"], json!({"error": "Cancelled", "cause": "by the user"}));
    assert_eq!(stage.states("StopExecution", stop()).await.json()["stopDate"], at);
    let missing = json!({"executionArn": execution_arn("standard", "none")});
    assert_eq!(stage.states("StopExecution", missing).await.json()["__type"], "ExecutionDoesNotExist");
    let aborted = json!({"stateMachineArn": machine_arn("standard"), "statusFilter": "ABORTED"});
    assert_eq!(stage.states("ListExecutions", aborted).await.json()["executions"].as_array().unwrap().len(), 1);
}
