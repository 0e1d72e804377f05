//! Choice, Wait and Map.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Does, ran, ran_at, retry};
use crate::error_equals::RUNTIME;

/// A Choice between two rules and a default, each of which leads to a Pass that says so.
fn chosen() -> Value {
    let says = |what: &str| json!({"Type": "Pass", "Result": what, "End": true});
    let rules = json!([
        {"And": [{"Variable": "$.n", "IsPresent": true}, {"Variable": "$.n", "NumericGreaterThan": 10}], "Next": "Large"},
        {"Variable": "$.kind", "StringMatches": "ord*", "Next": "Order"},
    ]);
    let choice = json!({"Type": "Choice", "Choices": rules, "Default": "Other"});
    json!({"StartAt": "C", "States": {"C": choice, "Large": says("large"), "Order": says("order"), "Other": says("other")}})
}

#[tokio::test(start_paused = true)]
async fn a_choice_goes_on_with_the_first_rule_that_holds() {
    for (input, output) in
        [(json!({"n": 11, "kind": "order"}), "large"), (json!({"n": 10, "kind": "order"}), "order"), (json!({"kind": "other"}), "other")]
    {
        let ran = ran(chosen(), input.clone(), &[]).await;
        assert_eq!(ran.output(), &json!(output), "{input}");
        assert_eq!(ran.told()[..2], ["+C", "-C"], "{input}");
    }
    let ran = super::ran(chosen(), json!({"n": 1}), &[]).await;
    assert_eq!(ran.error(), RUNTIME, "the variable of the second rule is missing");
}

#[tokio::test(start_paused = true)]
async fn a_choice_without_a_rule_that_holds_and_without_a_default_fails() {
    let rule = json!({"Variable": "$.a", "BooleanEquals": true, "Next": "Well"});
    let definition = json!({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [rule]}, "Well": {"Type": "Succeed"}}});
    let ran = ran(definition, json!({"a": false}), &[]).await;
    assert_eq!((ran.error(), ran.told().last().map(String::as_str)), ("States.NoChoiceMatched", Some("end States.NoChoiceMatched")));
}

fn waits(fields: Value) -> Value {
    let mut wait = json!({"Type": "Wait", "End": true});
    wait.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "W", "States": {"W": wait}})
}

#[tokio::test(start_paused = true)]
async fn a_wait_waits_as_long_as_it_says_and_less_in_compressed_time() {
    for (pace, fields, seconds) in [
        (1, json!({"Seconds": 90}), 90),
        (1, json!({"SecondsPath": "$.s"}), 30),
        (10, json!({"Seconds": 90}), 9),
        (1, json!({"Timestamp": "2000-01-01T00:00:00Z"}), 0),
        (1, json!({"TimestampPath": "$.past"}), 0),
    ] {
        let input = json!({"s": 30, "past": "2000-01-01T00:00:00+02:00"});
        let ran = ran_at(pace, waits(fields.clone()), input.clone(), &[]).await;
        assert_eq!((ran.output(), ran.took.as_secs()), (&input, seconds), "{fields}");
        assert_eq!(ran.told(), ["+W", "-W", "end"]);
    }
    let soon = dates::milliseconds(std::time::SystemTime::now() + Duration::from_secs(100));
    let ran = ran(waits(json!({"Timestamp": soon})), json!({}), &[]).await;
    assert!((95..=100).contains(&ran.took.as_secs()), "{:?}", ran.took);
    for fields in [json!({"SecondsPath": "$.past"}), json!({"TimestampPath": "$.s"}), json!({"SecondsPath": "$.gone"})] {
        let ran = super::ran(waits(fields.clone()), json!({"s": 30, "past": "x"}), &[]).await;
        assert_eq!(ran.error(), RUNTIME, "{fields}");
    }
}

/// A Map over `$.list` with one task, and these fields.
fn mapped(fields: Value) -> Value {
    let inner = json!({"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": "r", "End": true}}});
    let mut map = json!({"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": inner, "End": true});
    map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "M", "States": {"M": map}})
}

#[tokio::test(start_paused = true)]
async fn a_map_runs_its_states_for_each_item_in_the_order_of_the_list() {
    let slow_first = [Does::Takes(5, Box::new(Does::Echoes)), Does::Echoes];
    let input = json!({"list": ["a", "b"], "of": "x"});
    let ran = ran(mapped(json!({"ResultPath": "$.done"})), input.clone(), &[("Work", &slow_first)]).await;
    assert_eq!((ran.output(), ran.took.as_secs()), (&json!({"list": ["a", "b"], "of": "x", "done": ["a", "b"]}), 5));
    assert_eq!(
        ran.told(),
        ["+M", "2 items", "+0", "+Work", "+1", "+Work", "succeeded", "-Work", "-1", "succeeded", "-Work", "-0", "all items", "-M", "end"]
    );
    let selector = json!({"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "of.$": "$.of"});
    for name in ["ItemSelector", "Parameters"] {
        let ran = super::ran(mapped(json!({name: selector})), input.clone(), &[("Work", &[Does::Echoes])]).await;
        assert_eq!(ran.output(), &json!([{"i": 0, "v": "a", "of": "x"}, {"i": 1, "v": "b", "of": "x"}]), "{name}");
    }
    let none = super::ran(mapped(json!({})), json!({"list": []}), &[]).await;
    assert_eq!(
        (none.output(), none.told()),
        (&json!([]), vec!["+M".into(), "0 items".into(), "all items".into(), "-M".into(), "end".into()])
    );
    let no_list = super::ran(mapped(json!({})), json!({"list": 1}), &[]).await;
    assert_eq!(no_list.error(), RUNTIME);
}

#[tokio::test(start_paused = true)]
async fn a_map_runs_no_more_items_at_once_than_it_may() {
    let takes = Does::Takes(10, Box::new(Does::Echoes));
    let seconds = async |fields: Value, items: usize| {
        let input = json!({"list": vec![0; items], "most": 3});
        ran(mapped(fields), input, &[("Work", std::slice::from_ref(&takes))]).await.took.as_secs()
    };
    assert_eq!(seconds(json!({"MaxConcurrency": 1}), 4).await, 40);
    assert_eq!(seconds(json!({"MaxConcurrency": 2}), 4).await, 20);
    assert_eq!(seconds(json!({"MaxConcurrencyPath": "$.most"}), 6).await, 20);
    assert_eq!(seconds(json!({}), 40).await, 10);
    assert_eq!(seconds(json!({}), 41).await, 20, "40 is the most of an inline Map");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_fails_ends_the_map_which_can_be_retried_and_caught() {
    let slow = Does::Takes(50, Box::new(Does::Echoes));
    let ran = ran(mapped(json!({})), json!({"list": [1, 2]}), &[("Work", &[slow.clone(), Does::Fails("E")])]).await;
    assert_eq!((ran.error(), ran.took.as_secs()), ("E", 0));
    assert_eq!(
        ran.told(),
        ["+M", "2 items", "+0", "+Work", "+1", "+Work", "failed E", "1 failed", "aborted", "0 aborted", "item failed", "end E"]
    );
    let retried = super::ran(mapped(retry(&["E"], 1)), json!({"list": [1]}), &[("Work", &[Does::Fails("E"), Does::Echoes])]).await;
    assert_eq!((retried.output(), retried.tries("M"), retried.tries("Work")), (&json!([1]), 2, 2));
}
