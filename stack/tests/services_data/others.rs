//! Parameters, secrets, keys, roles, metrics, logs and data streams, each by a call or two over the
//! wire; their details are in unit tests. And faults, which strike them.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use template::blueprint::{Blueprint, DataStream, EncryptionKey, Parameter, Secret};

use super::stage::Stage;

fn blueprint() -> Blueprint {
    Blueprint {
        parameters: vec![Parameter { name: "/app/url".into(), value: "u".into(), list: false }],
        secrets: vec![Secret { name: "db".into(), value: Some("geheim".into()), generate: None }],
        encryption_keys: vec![EncryptionKey { id: "key-1".into(), aliases: vec!["alias/app".into()] }],
        data_streams: vec![DataStream { name: "clicks".into(), shards: 2, retention: Duration::from_secs(86_400) }],
        log_groups: vec!["audit".into()],
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
