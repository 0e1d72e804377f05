//! S3 over the wire: objects, links, notifications, faults.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faults::Arm;
use run_folder::Seen;
use serde_json::{Value, json};

use super::signing::Signer;
use super::stage::{Answered, Stage};

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

impl Stage {
    /// A signed call to S3.
    pub async fn s3(&self, method: &str, target: &str, more: &[(&str, &str)], body: &'static [u8]) -> Answered {
        let headers = Signer::new(self.host()).headers("s3", method, target, UNSIGNED, more);
        self.send(method, target, &headers, body).await
    }
}

#[tokio::test]
async fn an_object_is_stored_reported_and_read_in_whole_and_in_part() {
    let mut stage = Stage::up().await;
    let more = [("content-type", "message/rfc822"), ("x-amz-meta-from", "sensor")];
    let put = stage.s3("PUT", "/incoming/a%20b.eml?x-id=PutObject", &more, b"hello, world").await;
    assert_eq!((put.status, put.header("etag")), (200, Some("\"e4d7f1b4ed2e42d15898f4b27b019da4\"")), "{}", put.text());
    stage.seen(|seen| matches!(seen, Seen::ObjectStored { ref key, size: 12, .. } if key == "a b.eml").then_some(())).await;
    let about = stage.seen(|seen| if let Seen::Queued { about, .. } = seen { Some(about) } else { None }).await;
    assert_eq!(about.as_deref(), Some("a b.eml"));

    let received = stage.sqs("ReceiveMessage", json!({"QueueUrl": stage.url("incoming"), "MaxNumberOfMessages": 10})).await.json();
    let bodies: Vec<Value> =
        received["Messages"].as_array().unwrap().iter().map(|it| serde_json::from_str(it["Body"].as_str().unwrap()).unwrap()).collect();
    assert_eq!(bodies[0]["Event"], "s3:TestEvent");
    assert_eq!(bodies[1]["Records"][0]["s3"]["object"]["key"], "a+b.eml");

    let got = stage.s3("GET", "/incoming/a%20b.eml", &[], b"").await;
    assert_eq!((got.status, got.text(), got.header("content-type")), (200, "hello, world", Some("message/rfc822")));
    assert_eq!(got.header("x-amz-meta-from"), Some("sensor"));
    assert!(got.header("x-amz-request-id").is_some());
    let part = stage.s3("GET", "/incoming/a%20b.eml", &[("range", "bytes=7-")], b"").await;
    assert_eq!((part.status, part.text(), part.header("content-range")), (206, "world", Some("bytes 7-11/12")));
    let head = stage.s3("HEAD", "/incoming/a%20b.eml", &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("12")));
    let again = stage.s3("PUT", "/incoming/a%20b.eml", &[("if-none-match", "*")], b"other").await;
    assert_eq!(again.status, 412);
    let listed = stage.s3("GET", "/incoming?list-type=2&prefix=a", &[], b"").await;
    assert!(listed.status == 200 && listed.text().contains("<Key>a b.eml</Key><LastModified>"), "{}", listed.text());
    assert_eq!(stage.s3("DELETE", "/incoming/a%20b.eml", &[], b"").await.status, 204);
    for (method, target, status, code) in [
        ("GET", "/incoming/a%20b.eml", 404, "NoSuchKey"),
        ("GET", "/nowhere/k", 404, "NoSuchBucket"),
        ("PUT", "/nowhere/k", 404, "NoSuchBucket"),
        ("GET", "/incoming?acl=", 501, "NotImplemented"),
    ] {
        let answer = stage.s3(method, target, &[], b"").await;
        assert_eq!(answer.status, status, "{method} {target}");
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
    }
    assert_eq!(stage.s3("HEAD", "/attachments", &[], b"").await.status, 200);
    assert!(stage.s3("GET", "/", &[], b"").await.text().contains("<Name>attachments</Name>"));
    stage.services.stop().await;
}

#[tokio::test]
async fn a_link_works_without_any_header_until_its_promised_end() {
    let stage = Stage::up().await;
    let path = "/attachments/id/1-r%C3%A9sum%C3%A9%20%281%29.pdf";
    assert!(stage.services.buckets.put("attachments", "id/1-résumé (1).pdf", "content".into()));
    let ago = |seconds| Signer { at: SystemTime::now() - Duration::from_secs(seconds), ..Signer::new(stage.host()) };
    let day_and_half = Duration::from_secs(129_600);
    let good = ago(0).presigned(path, day_and_half);
    let got = stage.send("GET", &good, &[], "").await;
    assert_eq!((got.status, got.text()), (200, "content"));
    let other = Signer { secret: "guessed", ..ago(0) }.presigned(path, day_and_half);
    for (link, status, why) in [
        (ago(129_000).presigned(path, day_and_half), 200, "ten minutes before its end"),
        (ago(129_601).presigned(path, day_and_half), 403, "a second after its end"),
        (ago(3).presigned(path, Duration::from_secs(1)), 403, "a short one"),
        (good.replace("X-Amz-Expires=129600", "X-Amz-Expires=129601"), 403, "made longer"),
        (good.replace("%281%29", "%282%29"), 403, "for another object"),
        (other, 403, "signed by another"),
        (path.to_owned(), 403, "without a signature"),
    ] {
        let answer = stage.send("GET", &link, &[], "").await;
        assert_eq!(answer.status, status, "{why}: {}", answer.text());
        assert!(status == 200 || !answer.text().contains("content"), "{why}");
    }
    stage.services.stop().await;
}

/// A body in the form that SDKs send if they know its checksum only at the end.
fn chunked(body: &[u8], crc32: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(64 * 1024) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0\r\nx-amz-checksum-crc32:{crc32}\r\n\r\n").bytes());
    bytes
}

#[tokio::test]
async fn forty_megabytes_come_in_chunks_and_are_checked_at_the_end() {
    let stage = Stage::up().await;
    let body: Vec<u8> = (0..40_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let crc32 = STANDARD.encode(crc32fast::hash(&body).to_be_bytes());
    let length = body.len().to_string();
    let more = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", length.as_str()),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    for (key, promised, status) in [("good", crc32.as_str(), 200), ("bad", "AAAAAA==", 400)] {
        let target = format!("/attachments/{key}");
        let headers = Signer::new(stage.host()).headers("s3", "PUT", &target, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &more);
        let answer = stage.send("PUT", &target, &headers, chunked(&body, promised)).await;
        assert_eq!(answer.status, status, "{key}: {}", answer.text());
    }
    let stored = stage.services.buckets.get("attachments", "good").unwrap();
    assert!(stored.content.whole().unwrap() == body, "what was sent");
    assert!(stage.services.buckets.get("attachments", "bad").is_none());
    let got = stage.s3("GET", "/attachments/good", &[], b"").await;
    assert!(got.body == body);
    stage.services.stop().await;
}

#[tokio::test]
async fn calls_to_s3_are_struck_by_their_operation_and_only_if_they_are_allowed() {
    let mut stage = Stage::up().await;
    let at = |operation: &str| json!({"service": {"name": "s3", "operation": operation}});
    stage
        .strike(
            1,
            &json!([
                {"name": "slow", "place": at("GetObject"), "share": 1.0, "kind": {"latency": {"at": "before", "time": "40ms"}}},
                {"name": "busy", "place": at("DeleteObject"), "share": 1.0, "kind": {"error": {"type": "SlowDown"}}},
                {"name": "lost", "place": at("PutObject"), "share": 1.0, "kind": {"error": {"type": "InternalError", "handler-runs": true}}},
            ]),
        )
        .await;
    let put = stage.s3("PUT", "/attachments/k", &[("x-amzn-trace-id", "Root=1-a-b")], b"hello").await;
    assert!(put.status == 500 && put.text().contains("<Code>InternalError</Code>"), "{}", put.text());
    assert!(stage.services.buckets.get("attachments", "k").is_some(), "it acted, the answer was lost");
    let deleted = stage.s3("DELETE", "/attachments/k", &[], b"").await;
    assert!(deleted.status == 503 && deleted.text().contains("<Code>SlowDown</Code>"), "{}", deleted.text());
    let got = stage.s3("GET", "/attachments/k", &[], b"").await;
    assert_eq!((got.status, got.text()), (200, "hello"));
    let entries = stage.entries();
    let told: Vec<_> = entries.iter().map(|it| (it.fault.as_str(), it.arm, it.root.as_deref(), it.done)).collect();
    assert_eq!(
        told,
        [("lost", Arm::Treatment, Some("1-a-b"), true), ("busy", Arm::Treatment, None, true), ("slow", Arm::Treatment, None, true)]
    );
    assert!(entries[2].waited_us >= 40_000);
    assert_eq!(stage.send("GET", "/attachments/k", &[], "").await.status, 403);
    assert_eq!(stage.entries().len(), 0, "who may not is no caller");
    stage.services.stop().await;
}

#[tokio::test]
async fn a_retried_call_to_s3_is_rolled_again() {
    let mut stage = Stage::up().await;
    let fault = json!({"name": "busy", "place": {"service": {"name": "s3", "operation": "PutObject"}}, "share": 0.5, "by": "call",
        "kind": {"error": {"type": "SlowDown"}}});
    stage.strike(1, &json!([fault])).await;
    let mut statuses = Vec::new();
    for call in 1..=20 {
        statuses.push(stage.s3("PUT", "/attachments/k", &[("x-amzn-trace-id", "Root=1-a-b")], b"hello").await.status);
        let entries = stage.entries();
        assert_eq!(entries.iter().map(|entry| (entry.root.as_deref(), entry.call)).collect::<Vec<_>>(), [(Some("1-a-b"), call)]);
    }
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    stage.services.stop().await;
}

#[tokio::test]
async fn large_objects_pass_without_staying_in_memory() {
    let stage = Stage::up().await;
    let mut text: Vec<u8> = (0..3_000_001_u32).map(|n| b'a' + u8::try_from((n / 9 + n) % 26).unwrap()).collect();
    text.push(b'!');
    let body: &'static [u8] = text.leak();
    let mut etag = String::new();
    for n in 0..30 {
        let put = stage.s3("PUT", &format!("/attachments/large-{}", n % 3), &[], body).await;
        assert_eq!(put.status, 200, "{}", put.text());
        etag = put.header("etag").unwrap().to_owned();
    }
    let spool = stage.services.buckets.spool();
    assert_eq!((spool.in_memory(), spool.in_file()), (0, 3 * 12 * 256 * 1024));
    let got = stage.s3("GET", "/attachments/large-2", &[], b"").await;
    assert_eq!((got.status, got.header("etag"), got.header("content-length")), (200, Some(etag.as_str()), Some("3000002")));
    assert!(got.body == body);
    for (range, status, part) in
        [("bytes=262140-262150", 206, &body[262_140..=262_150]), ("bytes=-3", 206, &body[2_999_999..]), ("bytes=0-0", 206, &body[..1])]
    {
        let got = stage.s3("GET", "/attachments/large-0", &[("range", range)], b"").await;
        assert_eq!((got.status, &got.body[..]), (status, part), "{range}");
    }
    let listed = stage.s3("GET", "/attachments?list-type=2", &[], b"").await;
    assert_eq!(listed.text().matches("<Size>3000002</Size>").count(), 3);
    for n in 0..3 {
        assert_eq!(stage.s3("DELETE", &format!("/attachments/large-{n}"), &[], b"").await.status, 204);
    }
    assert_eq!((spool.in_memory(), spool.in_file()), (0, 0));
}
