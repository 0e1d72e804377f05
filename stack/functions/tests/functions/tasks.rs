//! `archive-record`, `describe-record` and `close-record` through their SDK clients and their cache.

use crate::audit::{Audit, BYTES, ID, TABLE, ample, begun, input, notice};
use crate::cache::Becomes;
use crate::cloud::Reply;
use audit_functions::audit::task::TaskError;
use functions::clock::Deadline;
use serde_json::{Value, json};
use std::time::SystemTime;

const KEY: &str = "record:t-1";

fn failing() -> Reply {
    Reply::Json(500, json!({"__type": "InternalServerError", "message": "no"}))
}

async fn archive(audit: &Audit) -> Result<Value, TaskError> {
    audit.archive.answer(input(), ample()).await
}

async fn close(audit: &Audit) -> Result<Value, TaskError> {
    audit.close.answer(input(), ample()).await
}

fn ok(task: &str) -> Result<Value, TaskError> {
    Ok(json!({"task": task, "status": "ok"}))
}

fn name(result: Result<Value, TaskError>) -> &'static str {
    result.unwrap_err().name()
}

#[tokio::test]
async fn a_record_is_archived_described_and_closed_with_a_notice_each() {
    let audit = begun("").await;
    assert_eq!(name(close(&audit).await), "NotYet");
    assert_eq!(archive(&audit).await, ok("archive"));
    let [stored] = audit.cloud.calls("PutObject").try_into().unwrap();
    assert!(stored.path.starts_with("/audit-archive/records/t-1") && stored.raw == BYTES, "{stored:?}");
    assert_eq!(name(close(&audit).await), "NotYet");
    assert_eq!(audit.describe.answer(input(), ample()).await, ok("describe"));
    let row = audit.row();
    for (attribute, value) in [
        ("sourceSystem", json!({"S": "till"})),
        ("occurredAt", json!({"S": "2026-01-31T12:00:00Z"})),
        ("contentType", json!({"S": "text/plain"})),
        ("size", json!({"N": "5"})),
        ("archived", json!({"BOOL": true})),
        ("described", json!({"BOOL": true})),
    ] {
        assert_eq!(row[attribute], value, "{attribute}");
    }
    assert!(audit.cache.value(KEY).is_some(), "nothing leaves the cache before");
    assert_eq!(close(&audit).await, ok("close"));
    assert_eq!((audit.cache.value(KEY), audit.row()["closed"].clone()), (None, json!({"BOOL": true})));
    assert_eq!(audit.notices(), ["archived", "described", "closed"].map(notice));
}

#[tokio::test]
async fn a_missing_or_damaged_record_is_not_archived() {
    let audit = begun("").await;
    audit.cache.put(KEY, b"other");
    assert_eq!(name(archive(&audit).await), "RecordDamaged");
    let audit = Audit::new("").await;
    audit.tables.put(TABLE, ID, json!({"sourceTransactionID": {"S": ID}}));
    assert_eq!(name(archive(&audit).await), "RecordGone");
    // The record was withdrawn, and its sender was told so.
    let audit = Audit::new("").await;
    audit.cache.put(KEY, BYTES);
    assert_eq!(name(archive(&audit).await), "RecordGone");
    assert_eq!(name(audit.describe.answer(input(), ample()).await), "RecordGone");
    assert_eq!(name(close(&audit).await), "RecordGone");
    assert!(audit.row().is_empty() && audit.cloud.calls("PutObject").is_empty() && audit.notices().is_empty());
    assert_eq!(name(audit.archive.answer(json!({"sourceTransactionID": ID}), ample()).await), "InputNotUnderstood");
}

#[tokio::test]
async fn a_failing_dependency_is_raised_and_another_try_succeeds() {
    for operation in ["UpdateItem", "PutObject", "Publish"] {
        let audit = begun("").await;
        audit.breaks(operation, failing());
        assert_eq!(name(archive(&audit).await), "NeighbourFailed", "{operation}");
        audit.mends();
        assert_eq!(archive(&audit).await, ok("archive"), "{operation}");
    }
    let audit = begun("").await;
    audit.cache.behave(|_| Becomes::Refused);
    assert_eq!(name(archive(&audit).await), "NeighbourFailed");
    audit.cache.behave(|before| if before == 2 { Becomes::Cut } else { Becomes::Answered });
    assert_eq!(archive(&audit).await, ok("archive"));
    assert_eq!(name(audit.archive.answer(input(), Deadline::at(SystemTime::now())).await), "NeighbourFailed");
}

#[tokio::test]
async fn one_try_publishes_at_most_one_notice() {
    let audit = begun("").await;
    for reply in [failing(), Reply::Hang] {
        let before = audit.cloud.calls("Publish").len();
        audit.breaks("Publish", reply);
        assert_eq!(name(archive(&audit).await), "NeighbourFailed");
        assert_eq!(audit.cloud.calls("Publish").len(), before + 1);
    }
}

#[tokio::test]
async fn a_try_after_the_record_was_closed_stores_nothing_and_succeeds() {
    let audit = begun("").await;
    archive(&audit).await.unwrap();
    audit.describe.answer(input(), ample()).await.unwrap();
    close(&audit).await.unwrap();
    assert_eq!(archive(&audit).await, ok("archive"));
    assert_eq!(close(&audit).await, ok("close"));
    assert_eq!((audit.cloud.calls("PutObject").len(), audit.notices().len()), (1, 5));
}

#[tokio::test]
async fn the_weaknesses_do_what_their_names_say() {
    let audit = begun("failure-as-success").await;
    audit.breaks("PutObject", failing());
    assert_eq!(archive(&audit).await, Ok(json!({"task": "archive", "status": "error"})));
    assert_eq!(name(close(&audit).await), "NotYet", "which is no failure of a neighbour");
    assert!(audit.notices().is_empty());
    let audit = begun("closes-at-once").await;
    assert_eq!(close(&audit).await, ok("close"));
    assert_eq!(audit.cache.value(KEY), None);
    let audit = Audit::new("repeats-stored-again").await;
    audit.cache.put(KEY, BYTES);
    for request in ["r-1", "r-2"] {
        let mut input = input();
        input["requestID"] = json!(request);
        assert_eq!(audit.archive.answer(input, ample()).await, ok("archive"));
    }
    let stored: Vec<_> = audit.cloud.calls("PutObject").iter().map(|call| call.path.split('?').next().unwrap().to_owned()).collect();
    assert_eq!(stored, ["/audit-archive/records/t-1/r-1", "/audit-archive/records/t-1/r-2"]);
}
