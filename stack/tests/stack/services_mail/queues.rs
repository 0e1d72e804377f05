//! SQS over the wire: JSON 1.0, as the SDKs speak it.

use std::time::Duration;

use run_folder::Seen;
use run_folder::deployment::Seed;
use run_folder::{Compressed, Sightings};
use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use stack::services::{Doors, Settings, start};
use template::blueprint::Blueprint;
use tokio::sync::mpsc::unbounded_channel;

use super::stage::{Stage, blueprint};

#[tokio::test]
async fn a_message_is_sent_received_and_deleted() {
    let stage = Stage::up().await;
    let url = stage.sqs("GetQueueUrl", json!({"QueueName": "dead"})).await.json()["QueueUrl"].clone();
    assert_eq!(url, json!(stage.url("dead")));
    let attributes = json!({"trace": {"DataType": "String", "StringValue": "t-1"}});
    let sent = stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": "hello", "MessageAttributes": attributes})).await.json();
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let asked = json!({"QueueUrl": url, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"], "VisibilityTimeout": 60});
    let received = stage.sqs("ReceiveMessage", asked).await.json()["Messages"][0].clone();
    assert_eq!(
        (&received["MessageId"], &received["Body"], &received["MD5OfBody"]),
        (&sent["MessageId"], &json!("hello"), &sent["MD5OfMessageBody"])
    );
    assert_eq!((&received["MessageAttributes"], &received["MD5OfMessageAttributes"]), (&attributes, &sent["MD5OfMessageAttributes"]));
    assert_eq!(received["Attributes"]["ApproximateReceiveCount"], "1");
    let counts = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessagesNotVisible", "MessageRetentionPeriod"]});
    let expected = json!({"ApproximateNumberOfMessagesNotVisible": "1", "MessageRetentionPeriod": "900"});
    assert_eq!(stage.sqs("GetQueueAttributes", counts.clone()).await.json()["Attributes"], expected);
    let handle = json!({"QueueUrl": url, "ReceiptHandle": received["ReceiptHandle"]});
    for n in 0..2 {
        let deleted = stage.sqs("DeleteMessage", handle.clone()).await;
        assert_eq!(deleted.status, 200, "time {n}: deleting what is gone succeeds");
    }
    assert_eq!(stage.sqs("GetQueueAttributes", counts).await.json()["Attributes"]["ApproximateNumberOfMessagesNotVisible"], "0");
    let urls = stage.sqs("ListQueues", json!({"QueueNamePrefix": "inc"})).await.json();
    assert_eq!(urls["QueueUrls"], json!([stage.url("incoming")]));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_batch_reports_the_result_of_each_entry() {
    let stage = Stage::up().await;
    let url = stage.url("dead");
    let entries = json!([{"Id": "a", "MessageBody": "one"}, {"Id": "b", "MessageBody": ""}, {"Id": "c", "MessageBody": "three"}]);
    let sent = stage.sqs("SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await.json();
    let ids = |value: &Value| value.as_array().unwrap().iter().map(|it| it["Id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((ids(&sent["Successful"]), ids(&sent["Failed"])), (vec!["a".to_owned(), "c".to_owned()], vec!["b".to_owned()]));
    assert_eq!(sent["Failed"][0]["Code"], "MissingParameter");
    let received = stage.sqs("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10})).await.json();
    let handle = |n: usize| received["Messages"][n]["ReceiptHandle"].clone();
    let visible = json!({"QueueUrl": url, "ReceiptHandle": handle(1), "VisibilityTimeout": 0});
    assert_eq!(stage.sqs("ChangeMessageVisibility", visible.clone()).await.status, 200);
    let again = stage.sqs("ChangeMessageVisibility", visible).await;
    assert_eq!((again.status, again.json()["__type"].as_str()), (400, Some("MessageNotInflight")));
    let entries = json!([{"Id": "1", "ReceiptHandle": handle(0)}, {"Id": "2", "ReceiptHandle": "nonsense"}]);
    let deleted = stage.sqs("DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await.json();
    assert_eq!((ids(&deleted["Successful"]), ids(&deleted["Failed"])), (vec!["1".to_owned()], vec!["2".to_owned()]));
    assert_eq!(stage.services.sqs.messages("dead").len(), 1);
    assert_eq!(stage.sqs("PurgeQueue", json!({"QueueUrl": url})).await.status, 200);
    assert_eq!(stage.services.sqs.messages("dead").len(), 0);
    stage.services.stop().await;
}

#[tokio::test]
async fn an_invalid_call_is_refused_with_both_names_of_the_error() {
    let stage = Stage::up().await;
    let url = stage.url("dead");
    let megabyte = "x".repeat(1024 * 1024);
    let batch = |ids: &[&str], body: &str| {
        let entries: Vec<_> = ids.iter().map(|id| json!({"Id": id, "MessageBody": body})).collect();
        json!({"QueueUrl": url, "Entries": entries})
    };
    let half = "x".repeat(600_000);
    for (operation, body, kind, query_error) in [
        (
            "SendMessage",
            json!({"QueueUrl": "http://x/1/none", "MessageBody": "m"}),
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        ("SendMessage", json!({"QueueUrl": url}), "MissingRequiredParameterException", "MissingParameter"),
        ("SendMessage", json!({"QueueUrl": url, "MessageBody": "\u{1}"}), "InvalidMessageContents", "InvalidMessageContents"),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": format!("{megabyte}x")}),
            "InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "m", "DelaySeconds": 901}),
            "InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        ("ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 11}), "InvalidParameterValueException", "InvalidParameterValue"),
        ("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": "?"}), "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        ("SendMessageBatch", batch(&[], "m"), "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
        ("SendMessageBatch", batch(&["a", "a"], "m"), "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        ("SendMessageBatch", batch(&["a", "b"], &half), "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
        ("AddPermission", json!({"QueueUrl": url}), "UnknownOperationException", "UnknownOperationException"),
    ] {
        let answer = stage.sqs(operation, body).await;
        let expected = format!("{query_error};Sender");
        assert_eq!((answer.status, answer.json()["__type"].as_str()), (400, Some(kind)), "{operation}: {}", answer.text());
        assert_eq!(answer.header("x-amzn-query-error"), Some(expected.as_str()));
    }
    assert_eq!(stage.sqs("SendMessage", json!({"QueueUrl": url, "MessageBody": megabyte})).await.status, 200, "not one byte too many");
    assert_eq!(stage.services.sqs.messages("dead").len(), 1, "nothing that was refused was sent");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_long_poll_ends_with_the_message_and_a_message_received_too_often_is_found_in_the_dead_letter_queue() {
    let mut stage = Stage::up_compressed(100).await;
    stage.seen(|seen| matches!(seen, Seen::Queued { .. }).then_some(())).await;
    stage.sqs("PurgeQueue", json!({"QueueUrl": stage.url("incoming")})).await;
    let poll = json!({"QueueUrl": stage.url("incoming"), "WaitTimeSeconds": 20, "AttributeNames": ["ApproximateReceiveCount"]});
    let (received, id) = tokio::join!(stage.sqs("ReceiveMessage", poll.clone()), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stage.services.sqs.send("incoming", "hello".into(), None).unwrap()
    });
    assert_eq!(received.json()["Messages"][0]["MessageId"], json!(id));
    assert_eq!(received.json()["Messages"][0]["Attributes"], json!({"ApproximateReceiveCount": "1"}));
    // Its visibility timeout ends soon. The queue allows one receive, so the next one moves the
    // message.
    let dead = json!({"QueueUrl": stage.url("dead"), "WaitTimeSeconds": 20, "AttributeNames": ["All"]});
    let (_, moved) = tokio::join!(
        stage.sqs("ReceiveMessage", json!({"QueueUrl": stage.url("incoming"), "WaitTimeSeconds": 1})),
        stage.sqs("ReceiveMessage", dead)
    );
    let moved = moved.json()["Messages"][0].clone();
    assert_eq!((&moved["MessageId"], &moved["Attributes"]["ApproximateReceiveCount"]), (&json!(id), &json!("2")));
    assert_eq!(moved["Attributes"]["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:123456789012:incoming");
    let redriven = stage.seen(|seen| if let Seen::Redriven { message, to, .. } = seen { Some((message, to)) } else { None }).await;
    assert_eq!(redriven, (id.clone(), "dead".to_owned()));
    let expired = stage.seen(|seen| if let Seen::Expired { message, queue, .. } = seen { Some((message, queue)) } else { None }).await;
    assert_eq!(expired, (id, "dead".to_owned()), "without anybody receiving");
    stage.services.stop().await;
}

#[tokio::test]
async fn services_with_inconsistent_declarations_do_not_start() {
    let (ledger, _entries) = unbounded_channel();
    let queues = blueprint().queues.into_iter().filter(|queue| queue.name != "dead").collect();
    let settings = Settings {
        seed: Seed::default(),
        doors: Doors::open(false).await.unwrap(),
        folder: std::env::temp_dir(),
        invoke: LateInvoke::default(),
        plan: std::path::PathBuf::from("none"),
        ledger,
        blueprint: Blueprint { queues, ..Blueprint::default() },
        secured: None,
        compressed: Compressed::default(),
        sightings: Sightings::nowhere(),
    };
    let Err(error) = start(settings).await else { panic!("it started") };
    assert!(error.to_string().contains("names the queue `dead`, which is not there"), "{error}");
}
