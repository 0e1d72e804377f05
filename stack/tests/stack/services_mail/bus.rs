//! EventBridge over the wire: entries, rules, targets, dead letters, schedules, faults.

use std::time::Duration;

use serde_json::{Value, json};
use template::blueprint::{Blueprint, Bus, Fifo, Given, Machine, MachineKind, Queue, Rule, RuleTarget, Schedule, Target, Topic, Trigger};

use super::stage::{Functions, Stage};

fn to(to: Target) -> RuleTarget {
    RuleTarget { to, given: Given::Event, dead_letters: None, group: None, retries: None, oldest: None }
}

fn rule(name: &str, bus: &str, pattern: Value, targets: Vec<RuleTarget>) -> Rule {
    Rule { name: name.into(), trigger: Trigger::Pattern { bus: bus.into(), pattern }, targets, enabled: true }
}

fn schedule(name: &str, schedule: Schedule, enabled: bool) -> Rule {
    Rule { name: name.into(), trigger: Trigger::Schedule(schedule), targets: vec![to(Target::Queue(name.into()))], enabled }
}

fn blueprint() -> Blueprint {
    let template = "{\"order\": <id>, \"text\": \"order <id> by <aws.events.rule-name>\"}".to_owned();
    let transformed = Given::Transformed { paths: [("id".to_owned(), "$.detail.id".to_owned())].into(), template };
    let queue = |name: &str| Target::Queue(name.into());
    let definition = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    let machine = Machine { name: "m".into(), definition: Ok(states::Definition::read(&definition).unwrap()), kind: MachineKind::Standard };
    let ordered = || json!({"detail-type": ["ordered"]});
    let grouped = Queue { fifo: Some(Fifo { by_content: true }), ..Queue::named("grouped.fifo") };
    Blueprint {
        queues: ["plain", "changed", "dead", "forwarded", "often", "yearly", "off"]
            .map(Queue::named)
            .into_iter()
            .chain([grouped])
            .collect(),
        topics: vec![Topic::named("t")],
        buses: vec![Bus { name: "orders".into() }, Bus { name: "second".into() }],
        machines: vec![machine],
        rules: vec![
            rule(
                "plain",
                "orders",
                json!({"source": [{"prefix": "my."}], "detail": {"n": [{"numeric": [">", 5]}]}}),
                vec![to(queue("plain"))],
            ),
            rule(
                "changed",
                "orders",
                ordered(),
                vec![
                    RuleTarget { given: transformed, ..to(queue("changed")) },
                    RuleTarget { given: Given::Path("$.detail".into()), ..to(Target::Function("f".into())) },
                    RuleTarget { given: Given::Text("{\"fixed\":1}".into()), ..to(Target::Machine("m".into())) },
                    to(Target::Topic("t".into())),
                    RuleTarget { dead_letters: Some("dead".into()), ..to(Target::Function("gone".into())) },
                    to(Target::Bus("second".into())),
                ],
            ),
            rule("grouped", "second", ordered(), vec![RuleTarget { group: Some("all".into()), ..to(queue("grouped.fifo")) }]),
            rule("forwarded", "second", ordered(), vec![to(queue("forwarded")), to(Target::Bus("orders".into()))]),
            schedule("often", Schedule::Every(Duration::from_secs(60)), true),
            schedule("off", Schedule::Every(Duration::from_secs(60)), false),
            schedule("yearly", Schedule::Cron("0 0 1 1 ? *".into()), true),
        ],
        ..Blueprint::default()
    }
}

#[tokio::test]
async fn events_reach_the_targets_of_the_rules_that_match() {
    let (functions, invoke) = Functions::new();
    let stage = Stage::up_with(blueprint(), 1, invoke).await;
    let entry = |detail_type: &str, detail: &str| json!({"Source": "my.app", "DetailType": detail_type, "Detail": detail, "EventBusName": "orders", "TraceHeader": "Root=1-a-b"});
    let entries = json!([
        entry("ordered", r#"{"id":"o-1","n":7}"#),
        entry("other", r#"{"n":5}"#),
        entry("other", "no JSON"),
        {"Source": "my.app", "DetailType": "ordered", "Detail": "{}", "EventBusName": "nowhere"},
    ]);
    let answer = stage.events("PutEvents", json!({"Entries": entries})).await;
    let put = answer.json();
    assert_eq!((answer.header("content-type"), &put["FailedEntryCount"]), (Some("application/x-amz-json-1.1"), &json!(2)));
    let codes: Vec<_> = put["Entries"].as_array().unwrap().iter().map(|it| it["ErrorCode"].as_str()).collect();
    assert_eq!(codes, [None, None, Some("MalformedDetail"), Some("ResourceNotFoundException")]);
    let event: Value = serde_json::from_str(&stage.bodies("plain", 1).await[0]).unwrap();
    assert_eq!((&event["id"], &event["detail"]["n"], &event["version"]), (&put["Entries"][0]["EventId"], &json!(7), &json!("0")));
    assert_eq!(stage.bodies("changed", 1).await, [r#"{"order": "o-1", "text": "order o-1 by changed"}"#]);
    assert_eq!(functions.accepted("f"), [json!({"id": "o-1", "n": 7})]);
    assert_eq!(functions.traces("f"), [Some("Root=1-a-b".to_owned())]);
    assert_eq!(stage.services.sns.published("t").len(), 1);
    assert_eq!(stage.services.machines.executions("m").len(), 1);
    let forwarded: Value = serde_json::from_str(&stage.bodies("forwarded", 1).await[0]).unwrap();
    assert_eq!(forwarded["id"], event["id"], "the same event on another bus");
    let grouped: Value = serde_json::from_str(&stage.bodies("grouped.fifo", 1).await[0]).unwrap();
    assert_eq!(grouped["id"], event["id"], "a queue that is first in, first out wants a group");
    let dead = stage.services.sqs.receive("dead", 10).remove(0);
    assert_eq!(
        (&dead.typed["ERROR_CODE"]["StringValue"], &dead.typed["RETRY_ATTEMPTS"]["StringValue"]),
        (&json!("NO_RESOURCE"), &json!("0"))
    );
    assert_eq!(dead.typed["RULE_ARN"]["StringValue"], "arn:aws:events:us-east-1:123456789012:rule/orders/changed");
    assert_eq!(serde_json::from_str::<Value>(&dead.body).unwrap()["id"], event["id"]);
    stage.services.stop().await;
}

#[tokio::test]
async fn invalid_calls_are_refused_and_rules_are_listed_and_switched() {
    let (_, invoke) = Functions::new();
    let mut stage = Stage::up_with(blueprint(), 1, invoke).await;
    let entry = |detail: &str| json!({"Source": "my.app", "DetailType": "d", "Detail": detail, "EventBusName": "orders"});
    let large = format!("{{\"n\":7,\"x\":\"{}\"}}", "x".repeat(256 * 1024));
    for (operation, body, kind) in [
        ("PutEvents", json!({"Entries": []}), "ValidationException"),
        ("PutEvents", json!({"Entries": vec![entry("{}"); 11]}), "ValidationException"),
        ("PutEvents", json!({"Entries": [entry(&large)]}), "ValidationException"),
        ("EnableRule", json!({"Name": "none"}), "ResourceNotFoundException"),
        ("TestEventPattern", json!({"EventPattern": "{\"a\":1}", "Event": "{}"}), "InvalidEventPatternException"),
        ("PutRule", json!({"Name": "r"}), "UnknownOperationException"),
    ] {
        let answer = stage.events(operation, body).await;
        assert_eq!((answer.status, answer.json()["__type"].as_str()), (400, Some(kind)), "{operation}: {}", answer.text());
    }
    let tested = stage.events("TestEventPattern", json!({"EventPattern": "{\"a\":[1]}", "Event": "{\"a\":1}"})).await.json();
    assert_eq!(tested["Result"], true);
    assert_eq!(stage.events("ListEventBuses", json!({})).await.json()["EventBuses"].as_array().unwrap().len(), 3);
    stage.events("DisableRule", json!({"Name": "plain", "EventBusName": "orders"})).await;
    let listed = stage.events("ListRules", json!({"EventBusName": "orders", "NamePrefix": "pl"})).await.json();
    assert_eq!((&listed["Rules"][0]["Name"], &listed["Rules"][0]["State"]), (&json!("plain"), &json!("DISABLED")));
    stage.events("PutEvents", json!({"Entries": [entry("{\"n\":7}")]})).await;
    assert_eq!(stage.services.sqs.messages("plain").len(), 0);
    stage.events("EnableRule", json!({"Name": "plain"})).await;
    let place = json!({"service": {"name": "events", "operation": "PutEvents"}});
    stage.strike(1, &json!([{"name": "down", "place": place, "share": 1.0, "kind": {"error": {"type": "InternalException"}}}])).await;
    let struck = stage.events("PutEvents", json!({"Entries": [entry("{\"n\":7}")]})).await;
    assert_eq!(struck.json()["__type"], "InternalException");
    assert_eq!((stage.entries().len(), stage.services.sqs.messages("plain").len()), (1, 0));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_schedule_comes_in_compressed_time_and_at_once_by_a_control() {
    let (_, invoke) = Functions::new();
    let stage = Stage::up_with(blueprint(), 600, invoke).await;
    // A minute is 100 ms here.
    let events: Vec<Value> = stage.bodies("often", 3).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(
        (&events[0]["detail-type"], &events[0]["source"], &events[0]["detail"]),
        (&json!("Scheduled Event"), &json!("aws.events"), &json!({}))
    );
    assert_eq!(events[0]["resources"], json!(["arn:aws:events:us-east-1:123456789012:rule/often"]));
    let times: Vec<_> = events.iter().map(|event| event["time"].as_str().unwrap()).collect();
    assert!(times.is_sorted() && times[0] != times[1], "a minute apart: {times:?}");
    assert_eq!(stage.services.sqs.messages("off").len(), 0, "it is disabled");
    let fire = async |rule: &str| stage.send("POST", "/brownout/fire-schedule", &[], json!({"rule": rule}).to_string()).await;
    for rule in ["yearly", "off"] {
        let fired = fire(rule).await;
        assert_eq!((fired.status, fired.json()["targets"].clone()), (200, json!(1)), "{}", fired.text());
        assert_eq!(stage.bodies(rule, 1).await.len(), 1);
    }
    let unknown = fire("plain").await;
    assert!(unknown.status == 400 && unknown.text().contains("there are: often, off, yearly"), "{}", unknown.text());
    stage.services.stop().await;
}
