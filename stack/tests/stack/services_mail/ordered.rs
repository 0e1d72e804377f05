//! Queues that are first in, first out, and what all queues share with them, over the wire.

use std::time::Duration;

use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use template::blueprint::{Blueprint, Fifo, Queue};

use super::stage::Stage;

async fn stage(queues: u32) -> Stage {
    let fifo = |name: &str, by_content| Queue { fifo: Some(Fifo { by_content }), ..Queue::named(name) };
    let slow = Queue { delay: Duration::from_secs(60), wait: Duration::from_secs(20), ..Queue::named("slow") };
    let queues_of_test = vec![fifo("a.fifo", false), fifo("b.fifo", true), Queue::named("plain"), slow];
    Stage::up_with(Blueprint { queues: queues_of_test, ..Blueprint::default() }, queues, LateInvoke::default()).await
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["Messages"].as_array().map(|all| all.iter().map(|it| it["Body"].as_str().unwrap()).collect()).unwrap_or_default()
}

#[tokio::test]
async fn a_group_comes_in_order_one_receive_after_the_other() {
    let stage = stage(1).await;
    let url = stage.url("a.fifo");
    let entry = |body: &str, group: &str| json!({"Id": body, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body});
    let entries = json!([entry("1", "a"), entry("2", "a"), entry("3", "b")]);
    let sent = stage.sqs("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await.json();
    let numbers: Vec<_> =
        sent["Successful"].as_array().unwrap().iter().map(|it| it["SequenceNumber"].as_str().unwrap().to_owned()).collect();
    assert!(numbers.len() == 3 && numbers.is_sorted() && numbers[0].len() == 20, "{sent}");
    let receive = |most: u32| json!({"QueueUrl": url, "MaxNumberOfMessages": most, "MessageSystemAttributeNames": ["All"]});
    let first = stage.sqs("ReceiveMessage", receive(1)).await.json();
    assert_eq!(ids(&first), ["1"]);
    let attributes = &first["Messages"][0]["Attributes"];
    let shown = ["MessageGroupId", "MessageDeduplicationId", "SequenceNumber"].map(|name| attributes[name].as_str().unwrap());
    assert_eq!(shown, ["a", "1", numbers[0].as_str()]);
    assert_eq!(ids(&stage.sqs("ReceiveMessage", receive(10)).await.json()), ["3"], "the group `a` waits");
    let poll = json!({"QueueUrl": url, "WaitTimeSeconds": 20});
    let handle = json!({"QueueUrl": url, "ReceiptHandle": first["Messages"][0]["ReceiptHandle"]});
    let (next, _) = tokio::join!(stage.sqs("ReceiveMessage", poll), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stage.sqs("DeleteMessage", handle).await
    });
    assert_eq!(ids(&next.json()), ["2"], "a long poll ends once the group goes on");

    let again = stage
        .sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "other", "MessageGroupId": "a", "MessageDeduplicationId": "1"}))
        .await
        .json();
    assert_eq!((&again["MessageId"], &again["SequenceNumber"]), (&sent["Successful"][0]["MessageId"], &json!(numbers[0])));
    assert_eq!(stage.services.sqs.messages("a.fifo").len(), 2, "it was not sent again");
    let by_content = stage.url("b.fifo");
    for _ in 0..2 {
        let sent = stage.sqs("SendMessage", json!({"QueueUrl": by_content, "MessageBody": "same", "MessageGroupId": "a"})).await;
        assert_eq!(sent.status, 200);
    }
    assert_eq!(stage.services.sqs.messages("b.fifo").len(), 1);
    let attempt = json!({"QueueUrl": by_content, "ReceiveRequestAttemptId": "r"});
    let receipt = |answer: Value| answer["Messages"][0]["ReceiptHandle"].clone();
    let first = receipt(stage.sqs("ReceiveMessage", attempt.clone()).await.json());
    assert_eq!((first.is_string(), receipt(stage.sqs("ReceiveMessage", attempt).await.json())), (true, first));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_kind_of_queue_refuses_what_belongs_to_the_other() {
    let stage = stage(1).await;
    let send = |queue: &str, more: Value| {
        let mut body = json!({"QueueUrl": stage.url(queue), "MessageBody": "m"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let invalid = Some("InvalidParameterValueException");
    for (queue, more, kind) in [
        ("a.fifo", json!({}), Some("MissingRequiredParameterException")),
        ("a.fifo", json!({"MessageGroupId": "g"}), invalid),
        ("a.fifo", json!({"MessageGroupId": "g", "MessageDeduplicationId": "d", "DelaySeconds": 1}), invalid),
        ("a.fifo", json!({"MessageGroupId": "g g", "MessageDeduplicationId": "d"}), invalid),
        ("plain", json!({"MessageDeduplicationId": "d"}), invalid),
        ("plain", json!({"MessageSystemAttributes": {"Other": {"DataType": "String", "StringValue": "x"}}}), invalid),
        ("plain", json!({"MessageGroupId": "g"}), None),
    ] {
        let answer = stage.sqs("SendMessage", send(queue, more.clone())).await;
        assert_eq!(answer.json()["__type"].as_str(), kind, "{queue} {more}: {}", answer.text());
    }
    let attempt = stage.sqs("ReceiveMessage", json!({"QueueUrl": stage.url("plain"), "ReceiveRequestAttemptId": "r"})).await;
    assert_eq!(attempt.json()["__type"].as_str(), invalid);
    let attributes = |queue: &str, names: Value| json!({"QueueUrl": stage.url(queue), "AttributeNames": names});
    let all = stage.sqs("GetQueueAttributes", attributes("b.fifo", json!(["All"]))).await.json();
    assert_eq!((&all["Attributes"]["FifoQueue"], &all["Attributes"]["ContentBasedDeduplication"]), (&json!("true"), &json!("true")));
    let unknown = stage.sqs("GetQueueAttributes", attributes("plain", json!(["Colour"]))).await;
    assert_eq!(unknown.json()["__type"], "InvalidAttributeName");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_trace_crosses_a_queue_by_its_header_or_by_its_attribute() {
    let stage = stage(1).await;
    let url = stage.url("plain");
    let target = ("x-amz-target".to_owned(), "AmazonSQS.SendMessage".to_owned());
    let trace = ("x-amzn-trace-id".to_owned(), "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1".to_owned());
    stage.send("POST", "/", &[target, trace], json!({"QueueUrl": url, "MessageBody": "by header"}).to_string()).await;
    let told = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-a-b;Sampled=0"}});
    let sent =
        stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "by attribute", "MessageSystemAttributes": told})).await.json();
    assert!(sent["MD5OfMessageSystemAttributes"].as_str().is_some_and(|md5| md5.len() == 32), "{sent}");
    let received =
        stage.sqs("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["AWSTraceHeader"]})).await.json();
    let traces: Vec<_> =
        received["Messages"].as_array().unwrap().iter().map(|it| it["Attributes"]["AWSTraceHeader"].as_str().unwrap()).collect();
    assert_eq!(traces, ["Root=1-5759e988-bd862e3fe1be46a994272793", "Root=1-a-b;Sampled=0"]);
    stage.services.stop().await;
}

#[tokio::test]
async fn a_queue_delays_and_polls_as_declared_and_is_tagged_and_purged() {
    let stage = stage(300).await;
    let url = stage.url("slow");
    stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "late"})).await;
    assert!(!stage.services.sqs.messages("slow").remove(0).visible);
    // 60 s are 200 ms here; the poll lasts up to 20 s, as declared.
    assert_eq!(ids(&stage.sqs("ReceiveMessage", json!({"QueueUrl": url})).await.json()), ["late"]);
    stage.sqs("TagQueue", json!({"QueueUrl": url, "Tags": {"a": "1", "b": "2"}})).await;
    stage.sqs("UntagQueue", json!({"QueueUrl": url, "TagKeys": ["a"]})).await;
    assert_eq!(stage.sqs("ListQueueTags", json!({"QueueUrl": url})).await.json(), json!({"Tags": {"b": "2"}}));
    let plain = stage.url("plain");
    stage.sqs("SendMessage", json!({"QueueUrl": plain, "MessageBody": "m"})).await;
    let received = stage.sqs("ReceiveMessage", json!({"QueueUrl": plain, "VisibilityTimeout": 43_200})).await.json();
    let entries = json!([{"Id": "a", "ReceiptHandle": received["Messages"][0]["ReceiptHandle"], "VisibilityTimeout": 0}, {"Id": "b", "ReceiptHandle": "?", "VisibilityTimeout": 0}]);
    let changed = stage.sqs("ChangeMessageVisibilityBatch", json!({"QueueUrl": plain, "Entries": entries})).await.json();
    assert_eq!((&changed["Successful"][0]["Id"], &changed["Failed"][0]["Code"]), (&json!("a"), &json!("ReceiptHandleIsInvalid")));
    assert!(stage.services.sqs.messages("plain").remove(0).visible);
    stage.services.stop().await;
    let stage = self::stage(1).await;
    let purge = json!({"QueueUrl": stage.url("plain")});
    assert_eq!(stage.sqs("PurgeQueue", purge.clone()).await.status, 200);
    assert_eq!(stage.sqs("PurgeQueue", purge).await.json()["__type"], "PurgeQueueInProgress");
    stage.services.stop().await;
}
