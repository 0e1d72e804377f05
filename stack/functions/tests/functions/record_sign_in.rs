//! `record-sign-in` through its SDK client.

use crate::cloud::{Cloud, Reply, SHORT};
use crate::tables::Tables;
use functions::clock::Deadline;
use functions::weaknesses::Weaknesses;
use inactive_users_functions::record_sign_in::{RecordSignIn, Settings, SignInError};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TABLE: &str = "LatestPostAuthRecordsDDB";

struct Pool {
    cloud: Cloud,
    tables: Tables,
    function: RecordSignIn,
}

impl Pool {
    async fn new(weaknesses: &str) -> Self {
        let tables = Tables::default();
        let answering = tables.clone();
        let cloud = Cloud::start(move |call| answering.answer(&call.operation, &call.body)).await;
        let settings = Settings { table: TABLE.to_owned(), threshold_days: 30, weaknesses: Weaknesses::parse(weaknesses).unwrap() };
        let function = RecordSignIn::new(settings, &cloud.config(SHORT).await);
        Self { cloud, tables, function }
    }

    /// Calls the trigger for a sign-in that began at that second.
    async fn sign_in(&self, began: u64) -> Result<Value, SignInError> {
        let trace = format!("Root=1-{began:08x}-000000000000000000000001;Parent=53995c3f42cd8ad8;Sampled=1");
        self.function.answer(event(), Some(&trace), ample()).await
    }

    fn ttl(&self) -> u64 {
        self.tables.row(TABLE, "s-1").unwrap()["ttl"]["N"].as_str().unwrap().parse().unwrap()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn ample() -> Deadline {
    Deadline::at(SystemTime::now() + Duration::from_secs(600))
}

fn event() -> Value {
    json!({
        "version": "1", "region": "us-east-1", "userPoolId": "us-east-1_members", "userName": "jane",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
        "triggerSource": "PostAuthentication_Authentication",
        "request": {"userAttributes": {"sub": "s-1", "email": "jane@x.com", "cognito:user_status": "CONFIRMED"}, "newDeviceUsed": false},
        "response": {},
    })
}

#[tokio::test]
async fn a_sign_in_is_recorded_and_the_event_is_returned_unchanged() {
    let pool = Pool::new("").await;
    let began = now() - 10;
    assert_eq!(pool.sign_in(began).await, Ok(event()));
    let row = pool.tables.row(TABLE, "s-1").unwrap();
    assert_eq!(row["username"], json!({"S": "jane"}));
    assert_eq!(row["userpool_id"], json!({"S": "us-east-1_members"}));
    assert_eq!(row["ttl"], json!({"N": (began + 30 * 86_400).to_string()}));
    let timestamp = row["timestamp"]["S"].as_str().unwrap();
    assert!(timestamp.ends_with(".000000Z") && timestamp.len() == "2026-01-01T00:00:00.000000Z".len(), "{timestamp}");
    assert_eq!(row.len(), 5, "{row:?}");
}

#[tokio::test]
async fn the_newest_sign_in_wins_whichever_comes_last() {
    for (weaknesses, wins) in [("", 3), ("late-write-wins", 12)] {
        let pool = Pool::new(weaknesses).await;
        let now = now();
        for ago in [8, 3, 12] {
            assert_eq!(pool.sign_in(now - ago).await, Ok(event()), "{weaknesses}");
        }
        assert_eq!(pool.ttl(), now - wins + 30 * 86_400, "{weaknesses}");
    }
}

#[tokio::test]
async fn a_repeated_call_for_one_sign_in_changes_nothing() {
    let pool = Pool::new("").await;
    let began = now() - 5;
    for _ in 0..3 {
        assert_eq!(pool.sign_in(began).await, Ok(event()));
    }
    assert_eq!(pool.ttl(), began + 30 * 86_400);
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_recorded_fails() {
    let pool = Pool::new("").await;
    for reply in [Reply::Json(500, json!({})), Reply::Hang] {
        pool.cloud.behave(move |_| reply.clone());
        assert!(matches!(pool.sign_in(now()).await, Err(SignInError::Dependency(_))));
    }
    let over = Deadline::at(SystemTime::now());
    assert!(matches!(pool.function.answer(event(), None, over).await, Err(SignInError::TooLate(_))));
    let mut without_sub = event();
    without_sub["request"]["userAttributes"] = json!({"email": "jane@x.com"});
    assert!(matches!(pool.function.answer(without_sub, None, ample()).await, Err(SignInError::Event(_))));
}

#[tokio::test]
async fn events_of_other_triggers_are_returned() {
    let pool = Pool::new("").await;
    let mut other = event();
    other["triggerSource"] = json!("PostConfirmation_ConfirmSignUp");
    assert_eq!(pool.function.answer(other.clone(), None, ample()).await, Ok(other));
    assert!(pool.tables.rows(TABLE).is_empty());
}
