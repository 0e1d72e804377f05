//! `ingest-record` through its SDK clients and its cache.

use crate::audit::{Audit, BYTES, ID, ample};
use crate::cache::Becomes;
use crate::cloud::Reply;
use audit_functions::audit::sha256;
use audit_functions::ingest_record::Event;
use functions::clock::Deadline;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const KEY: &str = "record:t-1";

fn record(content: &str) -> String {
    json!({"sourceTransactionID": ID, "sourceSystem": "till", "occurredAt": "2026-01-31T12:00:00Z", "contentType": "text/plain",
        "content": content})
    .to_string()
}

fn hello() -> String {
    record("aGVsbG8=")
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn failing() -> Reply {
    Reply::Json(500, json!({"__type": "InternalServerError", "message": "no"}))
}

#[tokio::test]
async fn a_record_is_a_row_then_bytes_in_the_cache_then_an_execution() {
    let audit = Audit::new("").await;
    let answer = audit.hand_in(hello(), "r-1").await.unwrap();
    assert_eq!((&answer["statusCode"], body(&answer)), (&json!(200), json!({"sourceTransactionID": ID, "status": "accepted"})));
    let row = audit.row();
    assert_eq!((&row["sha256"]["S"], &row["requests"]["SS"]), (&json!(sha256(BYTES)), &json!(["r-1"])));
    assert!(row["receivedAt"]["S"].as_str().unwrap().ends_with('Z') && row.len() == 4, "{row:?}");
    assert_eq!(audit.cache.value(KEY).as_deref(), Some(BYTES));
    assert_eq!(audit.cache.commands(), ["SET record:t-1 EX 86400"]);
    let [started] = audit.cloud.calls("StartExecution").try_into().unwrap();
    assert_eq!(started.body["name"], ID);
    let input: Value = serde_json::from_str(started.body["input"].as_str().unwrap()).unwrap();
    assert_eq!(input, crate::audit::input());
}

#[tokio::test]
async fn an_invalid_record_is_refused_with_its_reason_and_nothing_is_done() {
    let audit = Audit::new("").await;
    for (sent, named) in [
        (record("plain text"), "content"),
        (hello().replace("01-31T", "02-30T"), "occurredAt"),
        (hello().replace(ID, "t/1"), "sourceTransactionID"),
        ("{".to_owned(), "the body"),
    ] {
        let answer = audit.hand_in(sent.clone(), "r").await.unwrap();
        assert_eq!(answer["statusCode"], 400, "{sent}");
        assert!(body(&answer)["message"].as_str().unwrap().contains(named), "{answer}");
    }
    for event in [Event::default(), Event { body: Some("/w==".to_owned()), is_base64: true }] {
        assert_eq!(audit.ingest.answer(event, "r", ample()).await.unwrap()["statusCode"], 400);
    }
    assert!(audit.row().is_empty() && audit.cache.commands().is_empty() && audit.cloud.calls("StartExecution").is_empty());
    let encoded = Event { body: Some(base64(&hello())), is_base64: true };
    assert_eq!(audit.ingest.answer(encoded, "r", ample()).await.unwrap()["statusCode"], 200);
}

fn base64(text: &str) -> String {
    use std::fmt::Write;
    // Four letters of six bits each for every three bytes.
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    text.as_bytes().chunks(3).fold(String::new(), |mut out, three| {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            let letter = if n <= three.len() { alphabet[(bits >> (18 - 6 * n) & 63) as usize] } else { '=' };
            write!(out, "{letter}").unwrap();
        }
        out
    })
}

#[tokio::test]
async fn a_repeat_is_accepted_again_and_other_bytes_are_a_conflict() {
    let audit = Audit::new("").await;
    audit.hand_in(hello(), "r-1").await.unwrap();
    let exists = json!({"__type": "com.amazonaws.swf.service.v2.model#ExecutionAlreadyExists", "message": "it does"});
    audit.breaks("StartExecution", Reply::Json(400, exists));
    assert_eq!(audit.hand_in(hello(), "r-2").await.unwrap()["statusCode"], 200);
    assert_eq!(audit.hand_in(record("d29ybGQ="), "r-3").await.unwrap()["statusCode"], 409);
    assert_eq!((&audit.row()["requests"]["SS"], audit.cache.value(KEY).as_deref()), (&json!(["r-1", "r-2"]), Some(BYTES)));
    assert_eq!(audit.cloud.calls("StartExecution").len(), 2);
    // A closed record is not put into the cache again.
    let mut closed = audit.row();
    closed.insert("closed".to_owned(), json!({"BOOL": true}));
    audit.tables.put(crate::audit::TABLE, ID, Value::Object(closed));
    assert_eq!(audit.hand_in(hello(), "r-4").await.unwrap()["statusCode"], 200);
    assert_eq!((audit.cache.commands().len(), audit.cloud.calls("StartExecution").len()), (2, 2));
}

#[tokio::test]
async fn a_refused_record_leaves_no_row_and_no_execution() {
    for operation in ["PutItem", "StartExecution"] {
        for reply in [failing(), Reply::Hang] {
            let audit = Audit::new("").await;
            audit.breaks(operation, reply);
            let answer = audit.hand_in(hello(), "r-1").await.unwrap();
            assert_eq!((&answer["statusCode"], &answer["headers"]["Retry-After"]), (&json!(503), &json!("1")), "{operation}");
            assert!(audit.row().is_empty(), "{operation}: {:?}", audit.row());
            // The next request may have put its bytes there by now.
            assert!(!audit.cache.commands().iter().any(|command| command.starts_with("DEL")), "{operation}: {:?}", audit.cache.commands());
            audit.mends();
            assert_eq!(audit.hand_in(hello(), "r-2").await.unwrap()["statusCode"], 200, "{operation}");
        }
    }
    let audit = Audit::new("").await;
    audit.cache.behave(|_| Becomes::Refused);
    assert_eq!(audit.hand_in(hello(), "r-1").await.unwrap()["statusCode"], 503);
    assert!(audit.row().is_empty() && audit.cloud.calls("StartExecution").is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_not_taken_for_the_row_of_another_request() {
    let audit = Audit::new("").await;
    audit.loses_the_answer_of("PutItem");
    assert_eq!(audit.hand_in(hello(), "r-1").await.unwrap()["statusCode"], 503);
    assert!(audit.row().is_empty(), "{:?}", audit.row());
}

#[tokio::test]
async fn a_record_that_is_archived_already_is_accepted_although_its_start_was_not_answered() {
    let audit = Audit::new("").await;
    let (tables, answering) = (audit.tables.clone(), audit.tables.clone());
    audit.cloud.behave(move |call| match call.operation.as_str() {
        "StartExecution" => {
            let mut row = tables.row(crate::audit::TABLE, ID).unwrap();
            row.insert("archiving".to_owned(), json!({"BOOL": true}));
            tables.put(crate::audit::TABLE, ID, Value::Object(row));
            Reply::Hang
        }
        operation => answering.answer(operation, &call.body),
    });
    assert_eq!(audit.hand_in(hello(), "r-1").await.unwrap()["statusCode"], 200);
    assert!(audit.flags() == ["archiving"] && audit.cache.value(KEY).is_some());
}

#[tokio::test]
async fn it_fails_if_neither_answer_would_be_true() {
    let audit = Audit::new("").await;
    let answering = audit.tables.clone();
    audit.cloud.behave(move |call| match call.operation.as_str() {
        "StartExecution" => Reply::Hang,
        "DeleteItem" => failing(),
        operation => answering.answer(operation, &call.body),
    });
    let unsettled = audit.hand_in(hello(), "r-1").await.unwrap_err().to_string();
    assert!(unsettled.contains("states failed: no answer in time") && unsettled.contains("InternalServerError"), "{unsettled}");
    // No execution was started, so what is left has no effect.
    let audit = Audit::new("").await;
    audit.cloud.behave(|_| failing());
    assert_eq!(audit.hand_in(hello(), "r-1").await.unwrap()["statusCode"], 503);
}

#[tokio::test]
async fn a_row_on_which_another_request_relies_is_not_taken_back() {
    let audit = Audit::new("").await;
    audit.hand_in(hello(), "r-1").await.unwrap();
    audit.breaks("StartExecution", failing());
    let unsettled = audit.hand_in(hello(), "r-2").await.unwrap_err().to_string();
    assert!(unsettled.contains("it has no row of its own"), "{unsettled}");
    assert_eq!(audit.cache.value(KEY).as_deref(), Some(BYTES));
    assert_eq!(audit.row()["requests"]["SS"], json!(["r-1", "r-2"]));
}

#[tokio::test]
async fn a_slow_request_does_not_withdraw_what_another_one_was_promised() {
    let audit = Audit::new("").await;
    let sound = crate::audit::sound(audit.tables.clone());
    audit.cloud.behave(move |call| {
        let reply = sound(call);
        let is_slow = call.operation == "PutItem" && call.body["Item"]["requests"]["SS"] == json!(["r-1"]);
        if is_slow { Reply::Hang } else { reply }
    });
    let second = async {
        while audit.row().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        audit.hand_in(hello(), "r-2").await.unwrap()
    };
    let (first, second) = tokio::join!(audit.hand_in(hello(), "r-1"), second);
    assert_eq!((&first.unwrap()["statusCode"], &second["statusCode"]), (&json!(503), &json!(200)));
    assert_eq!((&audit.row()["requests"]["SS"], audit.cache.value(KEY).as_deref()), (&json!(["r-1", "r-2"]), Some(BYTES)));
}

#[tokio::test]
async fn a_dead_connection_costs_a_second_attempt_and_a_silent_cache_ends_in_time() {
    let audit = Audit::new("").await;
    assert_eq!(audit.hand_in(hello(), "r-1").await.unwrap()["statusCode"], 200);
    audit.cache.behave(|before| if before == 1 { Becomes::Cut } else { Becomes::Answered });
    assert_eq!(audit.hand_in(hello(), "r-2").await.unwrap()["statusCode"], 200);
    assert_eq!(audit.cache.commands().len(), 3);
    audit.cache.behave(|_| Becomes::Unanswered);
    let began = std::time::Instant::now();
    assert_eq!(audit.hand_in(hello(), "r-3").await.unwrap()["statusCode"], 503);
    assert!(began.elapsed() < audit_functions::audit::cache::TIME_LIMIT + Duration::from_secs(2), "{:?}", began.elapsed());
    let late = Deadline::at(SystemTime::now() + Duration::from_secs(5));
    let event = Event { body: Some(hello().replace(ID, "t-2")), is_base64: false };
    assert_eq!(audit.ingest.answer(event, "r", late).await.unwrap()["statusCode"], 503, "there is no time to take it back");
}

#[tokio::test]
async fn the_weaknesses_do_what_their_names_say() {
    let audit = Audit::new("lenient-base64").await;
    assert_eq!(audit.hand_in(record("plain text!"), "r").await.unwrap()["statusCode"], 200);
    assert_ne!(audit.cache.value(KEY).unwrap(), b"plain text!");
    let audit = Audit::new("repeats-stored-again").await;
    for request in ["r-1", "r-2"] {
        assert_eq!(audit.hand_in(hello(), request).await.unwrap()["statusCode"], 200);
    }
    assert!(audit.row().is_empty());
    let started = audit.cloud.calls("StartExecution");
    let names: Vec<_> = started.iter().map(|call| call.body["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["t-1-r-1", "t-1-r-2"]);
    assert!(started[1].body["input"].as_str().unwrap().contains(r#""requestID":"r-2""#));
    // What may be archived is not refused, for then another rule would report it.
    audit.breaks("StartExecution", Reply::Hang);
    let unsettled = audit.hand_in(hello(), "r-3").await.unwrap_err().to_string();
    assert!(unsettled.contains("it has no row of its own"), "{unsettled}");
}
