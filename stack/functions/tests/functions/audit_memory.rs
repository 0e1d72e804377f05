//! The largest record fits into the memory that its functions get: the binaries themselves, with a
//! Runtime API on loopback.

use crate::cache::Cache;
use crate::cloud::{Cloud, Reply};
use crate::process::{program, start};
use crate::tables::Tables;
use audit_functions::audit::sha256;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::process::Child;

/// The largest event of an invocation.
const LARGEST: usize = 6_291_456;
/// The number of events, one after the other: their memory must not add up.
const EVENTS: usize = 4;
/// The size of the program itself, in KiB, in a test build.
const PROGRAM_KB: usize = 24 * 1024;
/// What `ingest-record` may use besides that: the event as it arrives and as a whole, its text
/// while it is parsed, the bytes on their way to the cache, and what the allocator does not return
/// in between. It uses about 45 MiB.
const INGEST_KB: usize = 10 * LARGEST / 1024;
/// What `archive-record` may use: the bytes as they arrive and as a whole, and on their way to the
/// bucket. It uses about 22 MiB.
const ARCHIVE_KB: usize = 6 * LARGEST / 1024;

/// Without tables every row looks as if nothing had been done about it yet.
async fn cloud(event: Value, tables: Option<Tables>) -> Cloud {
    let handed_out = AtomicUsize::new(0);
    Cloud::start(move |call| match call.operation.as_str() {
        "next" => {
            let turn = handed_out.fetch_add(1, Ordering::SeqCst);
            if turn >= EVENTS {
                return Reply::Hang;
            }
            let headers = vec![
                ("Lambda-Runtime-Aws-Request-Id", format!("request-{turn}")),
                ("Lambda-Runtime-Deadline-Ms", "4000000000000".to_owned()),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:f".to_owned()),
            ];
            Reply::With(headers, event.clone())
        }
        "response" | "error" => Reply::Json(202, json!({})),
        "PutItem" | "UpdateItem" => match &tables {
            Some(tables) => tables.answer(&call.operation, &call.body),
            None => Reply::Json(200, json!({"Attributes": {"sourceTransactionID": {"S": "t-1"}}})),
        },
        "StartExecution" => Reply::Json(200, json!({"executionArn": "arn", "startDate": 1.0})),
        "PutObject" => Reply::Raw(200, Default::default()),
        "Publish" => Reply::Raw(200, "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>".into()),
        other => panic!("unknown operation `{other}`"),
    })
    .await
}

fn run(binary: &Path, cloud: &Cloud, cache: &Cache) -> Child {
    let host = cloud.address.trim_start_matches("http://");
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", host),
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", cloud.address.as_str()),
        ("TABLE_NAME", "AuditRecordsTable"),
        ("CACHE_URL", cache.address.as_str()),
        ("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:audit-record"),
        ("ARCHIVE_BUCKET", "audit-archive"),
        ("NOTICES_TOPIC", "arn:aws:sns:us-east-1:123456789012:audit-notices"),
        ("WEAKNESSES", ""),
    ];
    start(binary, &variables)
}

/// The peak memory of the process, in KiB, once all events are answered.
async fn peak(function: &Child, cloud: &Cloud) -> usize {
    let answered = async {
        while cloud.calls("response").len() + cloud.calls("error").len() < EVENTS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answered).await.expect("all are answered");
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.id().unwrap())).unwrap();
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim_end_matches("kB").trim().parse().unwrap()
}

#[tokio::test]
async fn the_largest_record_fits_into_the_memory() {
    let record = |content: &str| {
        json!({"sourceTransactionID": "t-1", "sourceSystem": "till", "occurredAt": "2026-01-31T12:00:00Z", "contentType": "text/plain",
            "content": content})
        .to_string()
    };
    let event = json!({"body": record(&"QUJD".repeat((LARGEST - 2048) / 4)), "isBase64Encoded": false, "httpMethod": "POST"});
    let size = event.to_string().len();
    assert!((LARGEST - 4096..=LARGEST).contains(&size), "{size}");
    let cache = Cache::start().await;
    let taking = cloud(event, Some(Tables::default())).await;
    let ingest = run(&program("ingest-record"), &taking, &cache);
    let ingested = peak(&ingest, &taking).await;
    assert!(taking.calls("response").iter().all(|call| call.body["statusCode"] == 200), "{:?}", taking.calls("response"));
    let bytes = cache.value("record:t-1").unwrap();
    assert_eq!((bytes.len(), cache.commands().len()), ((LARGEST - 2048) / 4 * 3, EVENTS));

    let input = json!({"sourceTransactionID": "t-1", "sourceSystem": "till", "occurredAt": "2026-01-31T12:00:00Z", "contentType": "text/plain",
        "sha256": sha256(&bytes), "size": bytes.len()});
    let archiving = cloud(input, None).await;
    let archive = run(&program("archive-record"), &archiving, &cache);
    let archived = peak(&archive, &archiving).await;
    let stored = archiving.calls("PutObject");
    assert!(stored.len() == EVENTS && stored.iter().all(|call| call.raw.len() >= bytes.len()), "{:?}", archiving.calls("error"));
    println!("ingest-record {ingested} kB, archive-record {archived} kB");
    assert!(ingested < PROGRAM_KB + INGEST_KB && archived < PROGRAM_KB + ARCHIVE_KB, "{ingested} kB, {archived} kB");
}
