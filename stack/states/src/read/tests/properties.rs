//! No definition makes the reader or the interpreter panic, and none that is accepted runs without an
//! end.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::definition::Definition;
use crate::failure::Failure;
use crate::history::History;
use crate::run::{Execution, Tasks, run};

/// Words of definitions.
const LEAVES: [&str; 23] = [
    "A",
    "B",
    "C",
    "Task",
    "Pass",
    "Parallel",
    "Succeed",
    "Fail",
    "Map",
    "Choice",
    "Wait",
    "$",
    "$.a",
    "$..a[?(@.b > 1)]",
    "$.a[0]",
    "$$.State.Name",
    "States.ALL",
    "States.Timeout",
    "E",
    "FULL",
    "States.Format('{}', $.a)",
    "States.JsonToString($)",
    "JSONPath",
];

/// Fields of definitions.
const KEYS: [&str; 33] = [
    "StartAt",
    "States",
    "Type",
    "Next",
    "End",
    "Resource",
    "Branches",
    "Retry",
    "Catch",
    "ErrorEquals",
    "A",
    "B",
    "C",
    "Parameters",
    "a.$",
    "ResultPath",
    "OutputPath",
    "Result",
    "MaxAttempts",
    "TimeoutSeconds",
    "Cause",
    "CausePath",
    "Error",
    "Choices",
    "Variable",
    "NumericEquals",
    "StringMatches",
    "And",
    "Not",
    "Default",
    "ItemProcessor",
    "ItemsPath",
    "Seconds",
];

/// A value made of words from definitions, so that many of the generated values are nearly valid.
fn words() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(LEAVES.to_vec()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop::sample::select(KEYS.to_vec());
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())),
        ]
    })
}

/// A state that is mostly valid.
fn state() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["A", "B", "C"]);
    let path = || prop::sample::select(vec!["$", "$.a", "$.a[0]", "$['b']", "$$.Execution.Input"]);
    let errors = || prop::sample::select(vec!["E", "States.Timeout", "States.TaskFailed"]);
    let after = || prop_oneof![name().prop_map(|next| ("Next", json!(next))), Just(("End", json!(true)))];
    prop_oneof![
        (path(), path(), after()).prop_map(|(input, output, (key, after))| {
            json!({"Type": "Pass", "InputPath": input, "OutputPath": output, "ResultPath": "$.a", key: after})
        }),
        (path(), errors(), 0..3_u8, name(), after()).prop_map(|(taken, errors, most, next, (key, after))| {
            json!({
                "Type": "Task", "Resource": "r", "TimeoutSeconds": 2, "Parameters": {"a.$": taken}, key: after,
                "Retry": [{"ErrorEquals": [errors], "MaxAttempts": most, "JitterStrategy": "FULL"}],
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": next}],
            })
        }),
        (path(), name(), name()).prop_map(|(path, next, other)| {
            json!({"Type": "Choice", "Choices": [{"Variable": path, "IsNull": true, "Next": next}], "Default": other})
        }),
        (path(), after()).prop_map(|(items, (key, after))| {
            let inner = json!({"StartAt": "Inner", "States": {"Inner": {"Type": "Pass", "End": true}}});
            json!({"Type": "Map", "ItemsPath": items, "ItemProcessor": inner, "MaxConcurrency": 2, "ResultPath": "$.a", key: after})
        }),
        (path(), after()).prop_map(|(path, (key, after))| json!({"Type": "Wait", "SecondsPath": path, key: after})),
        Just(json!({"Type": "Succeed"})),
        path().prop_map(|path| json!({"Type": "Fail", "CausePath": path, "Error": "E"})),
    ]
}

fn machine() -> impl Strategy<Value = Value> {
    prop::collection::vec(state(), 3)
        .prop_map(|states| json!({"StartAt": "A", "TimeoutSeconds": 100, "States": {"A": states[0], "B": states[1], "C": states[2]}}))
}

/// Returns its input, fails, or never answers, in turn.
struct Moody;

#[async_trait::async_trait]
impl Tasks for Moody {
    async fn attempt(&self, attempt: &crate::run::Attempt<'_>) -> Result<Value, Failure> {
        match attempt.number % 3 {
            0 => Ok(attempt.input.clone()),
            1 => Err(Failure::new("E", "it said so")),
            _ => std::future::pending().await,
        }
    }
}

fn carried_out(definition: &Definition) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let execution = Execution {
        id: "arn".into(),
        name: "n".into(),
        input: json!({"a": [1], "b": {}}),
        started: String::new(),
        machine_id: "m".into(),
        machine_name: "m".into(),
        pace: 1,
    };
    let history = History::begin();
    runtime.block_on(run(definition, &execution, &Moody, &history));
    assert!(history.events().len() >= 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_value_gives_a_definition_or_complaints(value in words()) {
        match Definition::read(&value) {
            Ok(definition) => carried_out(&definition),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn a_nearly_valid_definition_runs_or_is_reported(value in machine()) {
        match Definition::read(&value) {
            Ok(definition) => carried_out(&definition),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
