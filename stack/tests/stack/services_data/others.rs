//! Parameters, secrets, keys, roles, metrics, logs and data streams, each by a call or two over the
//! wire; their details are in unit tests. And faults, which strike them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use stack::platform::mappings::Sources;
use template::blueprint::{Blueprint, Bucket, DataStream, EncryptionKey, Parameter, Secret, Target, Topic};

use super::stage::Stage;

fn blueprint() -> Blueprint {
    Blueprint {
        parameters: vec![Parameter { name: "/app/url".into(), value: "u".into(), list: false }],
        secrets: vec![Secret { name: "db".into(), value: Some("geheim".into()), generate: None }],
        encryption_keys: vec![EncryptionKey { id: "key-1".into(), aliases: vec!["alias/app".into()] }],
        data_streams: vec![DataStream { name: "clicks".into(), shards: 2, retention: Duration::from_secs(86_400) }],
        log_groups: vec!["audit".into()],
        buckets: vec![Bucket { name: "failed".into(), ..Bucket::default() }],
        topics: vec![Topic::named("failed")],
        ..Blueprint::default()
    }
}

#[tokio::test]
async fn each_service_answers_at_the_one_address() {
    let stage = Stage::up(blueprint()).await;
    for (service, target, body, pointer, value) in [
        ("ssm", "AmazonSSM.GetParameter", json!({"Name": "/app/url"}), "/Parameter/Value", json!("u")),
        ("secretsmanager", "secretsmanager.GetSecretValue", json!({"SecretId": "db"}), "/SecretString", json!("geheim")),
        (
            "kms",
            "TrentService.DescribeKey",
            json!({"KeyId": "alias/app"}),
            "/KeyMetadata/Arn",
            json!("arn:aws:kms:us-east-1:123456789012:key/key-1"),
        ),
        (
            "kinesis",
            "Kinesis_20131202.DescribeStreamSummary",
            json!({"StreamName": "clicks"}),
            "/StreamDescriptionSummary/OpenShardCount",
            json!(2),
        ),
        ("logs", "Logs_20140328.CreateLogStream", json!({"logGroupName": "audit", "logStreamName": "s"}), "", json!({})),
        (
            "monitoring",
            "GraniteServiceVersion20100801.PutMetricData",
            json!({"Namespace": "app", "MetricData": [{"MetricName": "m", "Value": 1}]}),
            "",
            json!({}),
        ),
    ] {
        let (status, answer) = stage.calls.json(service, target, &body).await;
        assert_eq!((status, answer.pointer(pointer)), (200, Some(&value)), "{target} {answer}");
    }
    assert_eq!(stage.services.alarms.metrics.all().len(), 1);
    let signed = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", signed)];
    let (status, identity) = stage.calls.send("/", &headers, Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15")).await;
    assert!(status == 200 && String::from_utf8_lossy(&identity).contains("<Account>123456789012</Account>"), "{identity:?}");
    let (status, refused) = stage.calls.send("/2015-03-31/functions/f/invocations", &[], Bytes::from_static(b"{}")).await;
    assert!(status == 500 && String::from_utf8_lossy(&refused).contains("no function runs"), "{refused:?}");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_mapping_reads_every_shard_and_tells_a_bucket_or_a_topic_what_it_gave_up() {
    let stage = Stage::up(blueprint()).await;
    let records: Vec<_> = (0..20).map(|n| json!({"PartitionKey": n.to_string(), "Data": "eyJhIjoxfQ=="})).collect();
    let body = json!({"StreamName": "clicks", "Records": records});
    let (status, answer) = stage.calls.json("kinesis", "Kinesis_20131202.PutRecords", &body).await;
    assert_eq!((status, &answer["FailedRecordCount"]), (200, &json!(0)));
    let shards = stage.services.data_stream("clicks");
    let mut keys = Vec::new();
    for shard in &shards {
        assert!(shard.next() > shard.read(0, 1)[0].sequence);
        for record in shard.read(0, 100) {
            assert_eq!(record.value["eventSourceARN"], "arn:aws:kinesis:us-east-1:123456789012:stream/clicks");
            assert_eq!(record.value["kinesis"]["data"], "eyJhIjoxfQ==");
            assert_eq!(record.filtered.unwrap()["data"], json!({"a": 1}));
            assert!(record.value["eventID"].as_str().unwrap().starts_with(&shard.origin().shard));
            keys.push(record.key.parse::<u32>().unwrap());
        }
    }
    keys.sort_unstable();
    assert_eq!((shards.len(), keys), (2, (0..20).collect()));
    assert!(stage.services.data_stream("none").is_empty());

    let bucket = stage.services.receiver(&Target::Bucket("failed".into())).unwrap();
    assert!(bucket.takes_records());
    bucket.take("aws/lambda/m/s/1", "{}".into());
    assert!(stage.services.buckets.get("failed", "aws/lambda/m/s/1").is_some());
    let topic = stage.services.receiver(&Target::Topic("failed".into())).unwrap();
    assert!(!topic.takes_records() && topic.take("", "{}".into()).is_some());
    assert_eq!(stage.services.sns.published("failed")[0].message, "{}");
    for missing in [Target::Queue("none".into()), Target::Topic("none".into()), Target::Bucket("none".into()), Target::Function("f".into())]
    {
        assert!(stage.services.receiver(&missing).is_none(), "{missing:?}");
    }
    stage.services.stop().await;
}

#[tokio::test]
async fn a_fault_strikes_only_the_operation_that_it_names() {
    let stage = Stage::up(blueprint()).await;
    let plan = json!({"version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [
        {"name": "down", "place": {"service": {"name": "ssm", "operation": "GetParameter"}}, "share": 1.0,
            "kind": {"error": {"type": "ThrottlingException"}}},
    ]});
    stage.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
    let get = json!({"Name": "/app/url"});
    let struck = async {
        loop {
            let (status, answer) = stage.calls.json("ssm", "AmazonSSM.GetParameter", &get).await;
            if status != 200 {
                return (status, answer);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (status, refused): (u16, Value) = tokio::time::timeout(Duration::from_secs(30), struck).await.unwrap();
    assert_eq!((status, &refused["__type"]), (400, &json!("ThrottlingException")));
    assert_eq!(stage.calls.json("ssm", "AmazonSSM.GetParameters", &json!({"Names": ["/app/url"]})).await.0, 200);
    stage.services.stop().await;
}
