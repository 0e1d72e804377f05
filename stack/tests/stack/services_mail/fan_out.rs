//! Topics and buckets that tell functions, queues, topics and EventBridge, over the wire.

use serde_json::{Value, json};
use template::blueprint::{
    Blueprint, Bucket, Fifo, FilterOn, Given, Notification, Queue, Rule, RuleTarget, Subscription, Target, Topic, Trigger,
};

use super::stage::{Functions, Stage};

const TOPIC: &str = "TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3A";

fn subscription(topic: &str, to: Target) -> Subscription {
    Subscription { topic: topic.into(), to, filter: None, filter_on: FilterOn::Attributes, raw: false, dead_letters: None }
}

fn attribute(n: u32, name: &str, kind: &str, value: &str) -> String {
    let entry = format!("&MessageAttributes.entry.{n}");
    format!("{entry}.Name={name}{entry}.Value.DataType={kind}{entry}.Value.StringValue={value}")
}

#[tokio::test]
async fn a_topic_tells_those_whose_filter_policy_takes_the_message() {
    let (functions, invoke) = Functions::new();
    let fifo = Queue { fifo: Some(Fifo { by_content: false }), ..Queue::named("q.fifo") };
    let blueprint = Blueprint {
        queues: ["all", "raw", "dead"].map(Queue::named).into_iter().chain([fifo]).collect(),
        topics: vec![Topic::named("t"), Topic { fifo: true, by_content: true, ..Topic::named("t.fifo") }],
        subscriptions: vec![
            subscription("t", Target::Queue("all".into())),
            Subscription {
                filter: Some(json!({"kind": ["new"], "n": [{"numeric": [">", 5]}]})),
                ..subscription("t", Target::Function("f".into()))
            },
            Subscription { filter: Some(json!({"kind": ["new"]})), raw: true, ..subscription("t", Target::Queue("raw".into())) },
            Subscription { dead_letters: Some("dead".into()), ..subscription("t", Target::Function("gone".into())) },
            Subscription { raw: true, ..subscription("t.fifo", Target::Queue("q.fifo".into())) },
        ],
        ..Blueprint::default()
    };
    let stage = Stage::up_with(blueprint, 1, invoke).await;
    let new = attribute(1, "kind", "String", "new") + &attribute(2, "n", "Number", "7");
    for (message, attributes) in [("first", new.as_str()), ("second", &attribute(1, "kind", "String", "old"))] {
        let answer = stage.sns(&format!("Action=Publish&{TOPIC}t&Message={message}{attributes}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let envelopes: Vec<Value> = stage.bodies("all", 2).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!((&envelopes[0]["Message"], &envelopes[1]["Message"]), (&json!("first"), &json!("second")));
    assert_eq!(envelopes[0]["MessageAttributes"]["n"], json!({"Type": "Number", "Value": "7"}));
    let events = functions.accepted("f");
    assert_eq!((events.len(), &events[0]["Records"][0]["Sns"]["Message"]), (1, &json!("first")));
    let raw = stage.services.sqs.receive("raw", 10);
    assert_eq!((raw.len(), raw[0].body.as_str(), &raw[0].typed["kind"]["StringValue"]), (1, "first", &json!("new")));
    let dead: Vec<Value> = stage.bodies("dead", 2).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(dead[1]["Records"][0]["Sns"]["Message"], "second", "the function is gone");

    for _ in 0..2 {
        let answer = stage.sns(&format!("Action=Publish&{TOPIC}t.fifo&Message=ordered&MessageGroupId=g")).await;
        assert!(answer.text().contains("<SequenceNumber>"), "{}", answer.text());
    }
    let ordered = stage.services.sqs.receive("q.fifo", 10);
    assert_eq!((ordered.len(), ordered[0].body.as_str(), ordered[0].attributes["MessageGroupId"].as_str()), (1, "ordered", "g"));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_batch_is_published_and_a_subscription_is_made_listed_and_ended_by_calls() {
    let (_, invoke) = Functions::new();
    let blueprint = Blueprint { queues: vec![Queue::named("q")], topics: vec![Topic::named("t")], ..Blueprint::default() };
    let stage = Stage::up_with(blueprint, 1, invoke).await;
    let endpoint = "Protocol=sqs&Endpoint=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3Aq";
    let raw = "Attributes.entry.1.key=RawMessageDelivery&Attributes.entry.1.value=true";
    let made = stage.sns(&format!("Action=Subscribe&{TOPIC}t&{endpoint}&{raw}")).await;
    let arn = made.text().split("<SubscriptionArn>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(arn.starts_with("arn:aws:sns:us-east-1:123456789012:t:"), "{}", made.text());
    assert!(stage.sns(&format!("Action=Subscribe&{TOPIC}t&{endpoint}")).await.text().contains(&arn), "once an endpoint");
    assert!(stage.sns(&format!("Action=ListSubscriptionsByTopic&{TOPIC}t")).await.text().contains("<Protocol>sqs</Protocol>"));
    let entry = |n: u32, message: &str| {
        format!("&PublishBatchRequestEntries.member.{n}.Id=i{n}&PublishBatchRequestEntries.member.{n}.Message={message}")
    };
    let batch = stage.sns(&format!("Action=PublishBatch&{TOPIC}t{}{}", entry(1, "one"), entry(2, ""))).await;
    assert!(batch.text().contains("<Successful><member><Id>i1</Id><MessageId>"), "{}", batch.text());
    assert!(batch.text().contains("<Failed><member><Id>i2</Id><Code>InvalidParameter</Code>"), "{}", batch.text());
    assert_eq!(stage.bodies("q", 1).await, ["one"]);
    assert_eq!(stage.sns(&format!("Action=Unsubscribe&SubscriptionArn={}", arn.replace(':', "%3A"))).await.status, 200);
    stage.sns(&format!("Action=Publish&{TOPIC}t&Message=unheard")).await;
    assert_eq!(stage.services.sqs.messages("q").len(), 0);
    for (form, code) in [
        (format!("Action=Subscribe&{TOPIC}t&Protocol=http&Endpoint=http://x"), "InvalidParameter"),
        (format!("Action=Subscribe&{TOPIC}t&Protocol=sqs&Endpoint=q"), "InvalidParameter"),
        (format!("Action=Subscribe&{TOPIC}x&{endpoint}"), "NotFound"),
        (
            format!("Action=Subscribe&{TOPIC}t&{endpoint}&Attributes.entry.1.key=FilterPolicy&Attributes.entry.1.value=%7B"),
            "InvalidParameter",
        ),
    ] {
        assert!(stage.sns(&form).await.text().contains(&format!("<Code>{code}</Code>")), "{form}");
    }
    stage.services.stop().await;
}

#[tokio::test]
async fn a_bucket_tells_each_receiver_what_it_wants_to_know() {
    let (functions, invoke) = Functions::new();
    let notification = |to: Target, event: &str, prefix: &str, suffix: &str| Notification {
        to,
        event: event.into(),
        prefix: prefix.into(),
        suffix: suffix.into(),
    };
    let function = || Target::Function("f".into());
    let bucket = Bucket {
        name: "box".into(),
        notifies: vec![
            notification(function(), "s3:ObjectCreated:*", "in/", ".jpg"),
            notification(function(), "s3:ObjectRemoved:*", "", ""),
            notification(Target::Topic("t".into()), "s3:ObjectCreated:Copy", "", ""),
        ],
        to_event_bridge: true,
        versioned: false,
    };
    let to_queue =
        RuleTarget { to: Target::Queue("bus".into()), given: Given::Event, dead_letters: None, group: None, retries: None, oldest: None };
    let pattern = json!({"source": ["aws.s3"], "detail": {"bucket": {"name": ["box"]}, "object": {"key": [{"prefix": "in/"}]}}});
    let blueprint = Blueprint {
        queues: vec![Queue::named("copies"), Queue::named("bus")],
        topics: vec![Topic::named("t")],
        subscriptions: vec![Subscription { raw: true, ..subscription("t", Target::Queue("copies".into())) }],
        buckets: vec![bucket],
        rules: vec![Rule {
            name: "r".into(),
            trigger: Trigger::Pattern { bus: "default".into(), pattern },
            targets: vec![to_queue],
            enabled: true,
        }],
        ..Blueprint::default()
    };
    let stage = Stage::up_with(blueprint, 1, invoke).await;
    for (method, target, more) in [
        ("PUT", "/box/in/a%20b.jpg", &[][..]),
        ("PUT", "/box/in/a.png", &[]),
        ("PUT", "/box/out/c.jpg", &[("x-amz-copy-source", "/box/in/a%20b.jpg")]),
        ("DELETE", "/box/in/a.png", &[]),
        ("DELETE", "/box/in/gone.png", &[]),
    ] {
        let answer = stage.s3(method, target, more, b"").await;
        assert!(answer.status < 300, "{target}: {}", answer.text());
    }
    let told: Vec<_> = functions.accepted("f").iter().map(|event| event["Records"][0].clone()).collect();
    let names: Vec<_> =
        told.iter().map(|record| (record["eventName"].as_str().unwrap(), record["s3"]["object"]["key"].as_str().unwrap())).collect();
    assert_eq!(names, [("ObjectCreated:Put", "in/a+b.jpg"), ("ObjectRemoved:Delete", "in/a.png")]);
    assert!(told[1]["s3"]["object"].get("size").is_none() && told[0]["s3"]["object"]["size"] == 0);
    let copies: Vec<Value> = stage.bodies("copies", 2).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!((&copies[0]["Event"], &copies[1]["Records"][0]["eventName"]), (&json!("s3:TestEvent"), &json!("ObjectCreated:Copy")));
    let events: Vec<Value> = stage.bodies("bus", 3).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let shown: Vec<_> =
        events.iter().map(|it| (it["detail-type"].as_str().unwrap(), it["detail"]["object"]["key"].as_str().unwrap())).collect();
    assert_eq!(shown, [("Object Created", "in/a b.jpg"), ("Object Created", "in/a.png"), ("Object Deleted", "in/a.png")]);
    assert_eq!((&events[0]["detail"]["reason"], &events[0]["resources"]), (&json!("PutObject"), &json!(["arn:aws:s3:::box"])));
    stage.services.stop().await;
}
