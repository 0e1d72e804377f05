//! Every rule of reading, one line per case.

mod properties;

use serde_json::{Value, json};

use super::DefinitionError;
use crate::definition::{Definition, Given, State, Until};

/// A definition that uses everything that is supported.
fn whole() -> Value {
    json!({
        "Comment": "all that there is", "StartAt": "Both", "TimeoutSeconds": 60, "Version": "1.0", "QueryLanguage": "JSONPath",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "A", "States": {"A": {
                        "Type": "Task", "Resource": "arn:a", "TimeoutSeconds": 5, "InputPath": "$.x", "Parameters": {"p.$": "$.y"},
                        "ResultSelector": {"r.$": "$.z"}, "ResultPath": "$.w", "OutputPath": "$", "End": true,
                        "Retry": [
                            {"ErrorEquals": ["E", "States.Timeout"], "IntervalSeconds": 2, "MaxAttempts": 4, "BackoffRate": 1.5,
                             "MaxDelaySeconds": 9, "JitterStrategy": "FULL"},
                            {"ErrorEquals": ["States.ALL"]},
                        ],
                    }}},
                    {"StartAt": "B", "States": {"B": {"Type": "Pass", "Result": {"b": 1}, "ResultPath": null, "End": true}}},
                ],
                "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Told"}],
                "Next": "Well",
            },
            "Told": {"Type": "Task", "Resource": "arn:b", "Next": "Badly"},
            "Badly": {"Type": "Fail", "Error": "E", "CausePath": "$.error.Cause"},
            "Well": {"Type": "Succeed", "OutputPath": null},
        },
    })
}

/// The definition with the value at `pointer` replaced, or removed if `to` is `None`.
fn changed(pointer: &str, to: Option<Value>) -> Value {
    let mut definition = whole();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match (definition.pointer_mut(parent).unwrap(), to) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(key)),
        (Value::Array(list), Some(value)) => list[key.parse::<usize>().unwrap()] = value,
        (other, _) => panic!("{other}"),
    }
    definition
}

fn complaints(definition: &Value) -> Vec<String> {
    match Definition::read(definition) {
        Ok(_) => Vec::new(),
        Err(DefinitionError::Wrong(complaints)) => complaints.iter().map(ToString::to_string).collect(),
        Err(DefinitionError::NotServed(parts)) => parts.iter().map(|part| format!("not served: {part}")).collect(),
    }
}

#[test]
fn a_whole_definition_is_understood() {
    let definition = Definition::read(&whole()).unwrap();
    assert_eq!((definition.flow.start_at.as_ref(), definition.flow.states.len(), definition.tasks().len()), ("Both", 4, 2));
    let State::Parallel(both) = &definition.flow.states["Both"] else { panic!("{definition:?}") };
    let State::Task(task) = &both.branches[0].states["A"] else { panic!("{both:?}") };
    let retry = &task.handling.retry;
    assert_eq!((retry[0].most, retry[0].backoff, retry[0].interval.as_secs()), (4, 1.5, 2));
    assert_eq!((retry[1].most, retry[1].backoff, retry[1].interval.as_secs(), retry[1].longest), (3, 2.0, 1, None));
}

/// Pointer, the value put there, and the expected complaint.
type Case<'a> = (&'a str, Option<Value>, &'a str);

fn each_is_complained_about(cases: &[Case<'_>]) {
    for (pointer, to, complaint) in cases {
        let found = complaints(&changed(pointer, to.clone()));
        assert!(found.iter().any(|found| found.contains(complaint)), "{pointer} {to:?}: {found:?}");
    }
}

#[test]
fn every_error_is_reported_with_its_path() {
    each_is_complained_about(&[
        ("/StartAt", Some(json!("Nowhere")), "Definition.StartAt: found `Nowhere`"),
        ("/StartAt", Some(json!(1)), "Definition.StartAt: found a number"),
        ("/States", None, "Definition.States: found none"),
        ("/States", Some(json!({})), "Definition.States: found none, expected at least one"),
        ("/States/X", Some(json!(1)), "Definition.States.X: found a number, expected an object"),
        ("/Version", Some(json!("2.0")), "Definition.Version: found `2.0`, there is: 1.0"),
        ("/QueryLanguage", Some(json!("XPath")), "Definition.QueryLanguage: found `XPath`, there are: JSONPath, JSONata"),
        ("/QueryLanguage", Some(json!("JSONata")), "not served: Definition.QueryLanguage: JSONata"),
        ("/States/Told/QueryLanguage", Some(json!("JSONata")), "not served: Definition.States.Told.QueryLanguage: JSONata"),
        ("/States/Told/Assign", Some(json!({"a": 1})), "not served: Definition.States.Told.Assign: variables"),
        ("/Surprise", Some(json!(1)), "Definition.Surprise: a state machine has no such field here"),
        ("/TimeoutSeconds", Some(json!(0)), "Definition.TimeoutSeconds: found `0`"),
        (
            "/States/Told/Type",
            Some(json!("Sleep")),
            "Definition.States.Told.Type: found `Sleep`, there are: Task, Parallel, Map, Choice, Wait, Pass, Succeed, Fail",
        ),
        ("/States/Told/Type", None, "Definition.States.Told.Type: found none"),
        ("/States/Told/HeartbeatSeconds", Some(json!(1)), "not served: Definition.States.Told.HeartbeatSeconds: heartbeats"),
        ("/States/Told/Resource", None, "Definition.States.Told.Resource: found none"),
        ("/States/Told/Resource", Some(json!("")), "Definition.States.Told.Resource: found nothing"),
        ("/States/Told/Next", Some(json!("Gone")), "Definition.States.Told: found `Gone` as the next state"),
        ("/States/Told/Next", Some(json!("A")), "Definition.States.Told: found `A` as the next state, but this level has no such state"),
        ("/States/Told/Next", None, "Definition.States.Told.Next: found neither"),
        ("/States/Told/End", Some(json!(true)), "Definition.States.Told.End: found it beside `Next`"),
        ("/States/Told/End", Some(json!("yes")), "Definition.States.Told.End: found text, expected true or false"),
        ("/States/Alone", Some(json!({"Type": "Succeed"})), "Definition.States.Alone: no state leads to it"),
        ("/States/A", Some(json!({"Type": "Succeed"})), "another state of the machine has this name too"),
        ("/States/Badly/ErrorPath", Some(json!("$.e")), "Definition.States.Badly.ErrorPath: found it beside `Error`"),
        ("/States/Badly/CausePath", Some(json!("e")), "Definition.States.Badly.CausePath: found `e`"),
        ("/States/Badly/Next", Some(json!("Well")), "Definition.States.Badly.Next: a Fail has no such field here"),
        ("/States/Well/ResultPath", Some(json!("$")), "Definition.States.Well.ResultPath: a Succeed has no such field here"),
    ]);
    assert_eq!(complaints(&json!([])), ["Definition: found a list, expected an object"]);
}

#[test]
fn every_error_within_a_branch_or_a_handler_is_reported_with_its_path() {
    const A: &str = "/States/Both/Branches/0/States/A";
    let at = |rest: &str| format!("{A}/{rest}");
    each_is_complained_about(&[
        ("/States/Both/Branches", Some(json!([])), "Definition.States.Both.Branches: found none"),
        ("/States/Both/Branches", Some(json!({})), "Definition.States.Both.Branches: found an object, expected a list"),
        ("/States/Both/Branches/1/Next", Some(json!("B")), "Definition.States.Both.Branches[1].Next: a branch has no such field here"),
        ("/States/Both/Branches/1/StartAt", Some(json!("Well")), "Definition.States.Both.Branches[1].StartAt: found `Well`"),
        ("/States/Both/TimeoutSeconds", Some(json!(1)), "Definition.States.Both.TimeoutSeconds: a Parallel has no such field here"),
        ("/States/Both/Catch/0/Next", Some(json!("Gone")), "Definition.States.Both: found `Gone`"),
        ("/States/Both/Catch/0/Next", None, "Definition.States.Both.Catch[0].Next: found none"),
        ("/States/Both/Catch/0/ErrorEquals", None, "Definition.States.Both.Catch[0].ErrorEquals: found none"),
        ("/States/Both/Catch/0/ErrorEquals", Some(json!(["States.ALL", "E"])), "found `States.ALL` beside other names"),
        (
            "/States/Both/Catch/0/ErrorEquals",
            Some(json!(["States.Alle"])),
            "found `States.Alle`, of the names that begin with `States.` there are",
        ),
        ("/States/Both/Catch/0/ErrorEquals", Some(json!([1])), "Catch[0].ErrorEquals: found a number"),
        ("/States/Both/Catch/0/ResultPath", Some(json!("$$.State.Name")), "Catch[0].ResultPath: found `$$.State.Name`"),
        ("/States/Both/Catch/0/Assign", Some(json!({})), "not served: Definition.States.Both.Catch[0].Assign: variables"),
        (&at("InputPath"), Some(json!("$.")), "Branches[0].States.A.InputPath: found `$.`"),
        (&at("ResultPath"), Some(json!("$.*")), "Branches[0].States.A.ResultPath: found `$.*`"),
        (&at("TimeoutSecondsPath"), Some(json!("$.t")), "A.TimeoutSecondsPath: found it beside `TimeoutSeconds`"),
        (&at("ResultPath"), Some(json!(7)), "Branches[0].States.A.ResultPath: found a number, expected text"),
        (&at("Parameters"), Some(json!([])), "Branches[0].States.A.Parameters: found a list, expected an object"),
        (&at("Parameters"), Some(json!({"a": [{"b.$": "$.."}]})), "Branches[0].States.A.Parameters.a[0].b.$: found `$..`"),
        (
            &at("Retry/0/ErrorEquals"),
            Some(json!(["States.ALL"])),
            "A.Retry[0].ErrorEquals: found `States.ALL` and others after it, put it last",
        ),
        (&at("Retry/0/MaxAttempts"), Some(json!(-1)), "A.Retry[0].MaxAttempts: found `-1`"),
        (&at("Retry/0/IntervalSeconds"), Some(json!(0)), "A.Retry[0].IntervalSeconds: found `0`"),
        (&at("Retry/0/BackoffRate"), Some(json!(0.5)), "A.Retry[0].BackoffRate: found `0.5`, expected a number of at least 1"),
        (&at("Retry/0/MaxDelaySeconds"), Some(json!(2)), "A.Retry[0].MaxDelaySeconds: found `2`, expected more than IntervalSeconds"),
        (&at("Retry/0/JitterStrategy"), Some(json!("HALF")), "A.Retry[0].JitterStrategy: found `HALF`, there are: FULL, NONE"),
        (&at("Retry/0"), Some(json!("E")), "A.Retry[0]: found text, expected an object"),
        (&at("Retry/0/Next"), Some(json!("B")), "A.Retry[0].Next: a retrier has no such field here"),
    ]);
}

#[test]
fn all_complaints_come_at_once() {
    let mut definition = changed("/States/Told/Type", Some(json!("Sleep")));
    definition["States"]["Badly"]["Surprise"] = json!(1);
    definition["States"]["Both"]["Branches"][0]["States"]["A"]["InputPath"] = json!("x");
    assert_eq!(complaints(&definition).len(), 3, "{:?}", complaints(&definition));
}

/// A machine with one state of these fields, before a Succeed.
fn with(state: Value) -> Value {
    json!({"StartAt": "S", "States": {"S": state, "Well": {"Type": "Succeed"}}})
}

#[test]
fn every_error_in_a_choice_is_reported_with_its_path() {
    let choice = |rule: Value| with(json!({"Type": "Choice", "Choices": [rule], "Default": "Well"}));
    for (rule, complaint) in [
        (json!({"Variable": "$.a", "NumericEquals": 1, "Next": "Gone"}), "found `Gone` as the next state"),
        (json!({"Variable": "$.a", "NumericEquals": 1}), "Choices[0].Next: found none"),
        (json!({"NumericEquals": 1, "Next": "Well"}), "Choices[0].Variable: found none"),
        (json!({"Variable": "$.a", "Next": "Well"}), "expected exactly one comparison; there are: And, Or, Not, IsPresent"),
        (json!({"Variable": "$.a", "NumericEquals": 1, "IsNull": true, "Next": "Well"}), "expected exactly one comparison"),
        (json!({"Variable": "$.a", "NumericEquals": "1", "Next": "Well"}), "Choices[0].NumericEquals: found `\"1\"`, expected a number"),
        (json!({"Variable": "$.a", "TimestampEquals": "soon", "Next": "Well"}), "expected a time such as"),
        (json!({"Variable": "$.a", "StringLessThanPath": "b", "Next": "Well"}), "Choices[0].StringLessThanPath: found `b`"),
        (json!({"Variable": "$.a", "IsPresent": "yes", "Next": "Well"}), "Choices[0].IsPresent: found text, expected true or false"),
        (json!({"And": [], "Next": "Well"}), "Choices[0].And: found none"),
        (json!({"Or": [{"Variable": "$.a", "IsNull": true, "Next": "Well"}], "Next": "Well"}), "Or[0].Next: a rule has no such field here"),
        (json!({"Not": 1, "Next": "Well"}), "Choices[0].Not: found a number"),
    ] {
        let found = complaints(&choice(rule.clone()));
        assert!(found.iter().any(|found| found.contains(complaint)), "{rule}: {found:?}");
    }
    assert!(complaints(&with(json!({"Type": "Choice", "Choices": []})))[0].contains("expected at least one rule"));
}

#[test]
fn every_error_in_a_wait_or_a_map_is_reported_and_what_is_not_served_apart_from_it() {
    let inner = json!({"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}});
    let map = |more: Value| {
        let mut map = json!({"Type": "Map", "Next": "Well", "ItemProcessor": inner});
        map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(map)
    };
    let wait = |more: Value| {
        let mut wait = json!({"Type": "Wait", "Next": "Well"});
        wait.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(wait)
    };
    for (definition, complaint) in [
        (wait(json!({})), "expected exactly one of Seconds"),
        (wait(json!({"Seconds": 1, "SecondsPath": "$.a"})), "expected exactly one of Seconds"),
        (wait(json!({"Seconds": -1})), "S.Seconds: found `-1`"),
        (wait(json!({"Timestamp": "tomorrow"})), "S.Timestamp: found `tomorrow`"),
        (wait(json!({"Seconds": 1, "ResultPath": "$"})), "S.ResultPath: a Wait has no such field here"),
        (map(json!({"ItemsPath": "a"})), "S.ItemsPath: found `a`"),
        (map(json!({"Iterator": inner})), "S.Iterator: found it beside `ItemProcessor`"),
        (map(json!({"ItemProcessor": {"StartAt": "Well", "States": {"I": {"Type": "Pass", "End": true}}}})), "found `Well`"),
        (map(json!({"ItemProcessor": {"StartAt": "Well", "States": {"Well": {"Type": "Pass", "End": true}}}})), "has this name too"),
        (map(json!({"ItemReader": {}})), "not served: Definition.States.S.ItemReader: the distributed mode"),
        (map(json!({"ToleratedFailureCount": 1})), "not served: Definition.States.S.ToleratedFailureCount"),
        (
            map(json!({"ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED"}}})),
            "not served: Definition.States.S.ItemProcessor.ProcessorConfig.Mode",
        ),
    ] {
        let found = complaints(&definition);
        assert!(found.iter().any(|found| found.contains(complaint)), "{definition}: {found:?}");
    }
    let State::Wait(read) = &Definition::read(&wait(json!({"SecondsPath": "$.a"}))).unwrap().flow.states["S"] else { panic!() };
    assert!(matches!(read.until, Until::Over(Given::At(_))));
}

#[test]
fn endless_loops_of_states_are_refused() {
    let round = |name: &str, next: &str| (name.to_owned(), json!({"Type": "Pass", "Next": next}));
    let states: serde_json::Map<String, Value> = [round("A", "B"), round("B", "A")].into_iter().collect();
    let found = complaints(&json!({"StartAt": "A", "States": states}));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("no state that is reached ends it"), "{found:?}");
}
