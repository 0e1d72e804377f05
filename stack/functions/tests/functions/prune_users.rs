//! `prune-users` through its SDK clients.

use crate::cloud::{Call, Cloud, Reply, SHORT};
use crate::tables::Tables;
use functions::clock::Deadline;
use functions::weaknesses::Weaknesses;
use inactive_users_functions::prune_users::{Failure, PruneUsers, Settings};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

const TABLE: &str = "LatestPostAuthRecordsDDB";
const DISABLES: &str = "DisablesTable";

struct Pool {
    cloud: Cloud,
    tables: Tables,
    function: PruneUsers,
}

impl Pool {
    async fn new(weaknesses: &str, quota: u32) -> Self {
        let tables = Tables::default();
        let answering = tables.clone();
        let cloud = Cloud::start(move |call| sound(&answering, call)).await;
        let function = function(&cloud, weaknesses, quota).await;
        Self { cloud, tables, function }
    }

    /// From now on `fault` answers a call if it returns an answer.
    fn strike(&self, fault: impl Fn(&Call, &Tables) -> Option<Reply> + Send + Sync + 'static) {
        let tables = self.tables.clone();
        self.cloud.behave(move |call| fault(call, &tables).unwrap_or_else(|| sound(&tables, call)));
    }

    async fn prune(&self, records: &[Value]) -> Result<Vec<String>, Failure> {
        self.prune_within(records, Duration::from_secs(600)).await
    }

    async fn prune_within(&self, records: &[Value], time: Duration) -> Result<Vec<String>, Failure> {
        let answer = self.function.answer(json!({"Records": records}), Deadline::at(SystemTime::now() + time)).await?;
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        Ok(failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect())
    }

    fn called(&self, operation: &str) -> Vec<String> {
        self.cloud.calls(operation).iter().map(|call| call.body["Username"].as_str().unwrap().to_owned()).collect()
    }
}

async fn function(cloud: &Cloud, weaknesses: &str, quota: u32) -> PruneUsers {
    let settings = Settings {
        table: TABLE.to_owned(),
        disables_table: DISABLES.to_owned(),
        disables_a_second: quota,
        weaknesses: Weaknesses::parse(weaknesses).unwrap(),
    };
    PruneUsers::new(settings, &cloud.config(SHORT).await)
}

fn sound(tables: &Tables, call: &Call) -> Reply {
    match call.operation.as_str() {
        "AdminDisableUser" | "AdminEnableUser" if call.body["Username"] == "missing" => {
            Reply::Json(400, json!({"__type": "UserNotFoundException", "message": "User does not exist."}))
        }
        "AdminDisableUser" | "AdminEnableUser" => Reply::Json(200, json!({})),
        operation => tables.answer(operation, &call.body),
    }
}

fn expired(sequence: u32, user: &str) -> Value {
    json!({
        "eventID": format!("e{sequence}"), "eventName": "REMOVE", "eventSource": "aws:dynamodb",
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        "dynamodb": {
            "Keys": {"sub": {"S": format!("sub-{user}")}},
            "OldImage": row(user),
            "SequenceNumber": sequence.to_string(), "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

fn row(user: &str) -> Value {
    json!({
        "sub": {"S": format!("sub-{user}")}, "username": {"S": user}, "userpool_id": {"S": "us-east-1_members"},
        "timestamp": {"S": "2026-01-01T00:00:00.000000Z"}, "ttl": {"N": "1769817600"},
    })
}

fn too_many() -> Reply {
    Reply::Json(400, json!({"__type": "TooManyRequestsException", "message": "Rate exceeded"}))
}

#[tokio::test]
async fn an_expired_user_is_disabled_and_only_once() {
    let pool = Pool::new("", 1000).await;
    let batch = [expired(1, "jane"), expired(2, "john")];
    for _ in 0..3 {
        assert_eq!(pool.prune(&batch).await, Ok(vec![]));
    }
    assert_eq!(pool.called("AdminDisableUser"), ["jane", "john"]);
    assert!(pool.cloud.calls("AdminDisableUser").iter().all(|call| call.body["UserPoolId"] == "us-east-1_members"));
    // A new expiry after an administrator enabled the user is another case.
    assert_eq!(pool.prune(&[expired(3, "jane")]).await, Ok(vec![]));
    assert_eq!(pool.called("AdminDisableUser"), ["jane", "john", "jane"]);
    assert!(pool.called("AdminEnableUser").is_empty());
}

#[tokio::test]
async fn a_user_who_signed_in_since_is_left_alone() {
    for (weaknesses, disabled) in [("", &[][..]), ("no-check-before-disable", &["jane"][..])] {
        let pool = Pool::new(weaknesses, 1000).await;
        pool.tables.put(TABLE, "sub-jane", row("jane"));
        assert_eq!(pool.prune(&[expired(1, "jane")]).await, Ok(vec![]), "{weaknesses}");
        assert_eq!(pool.called("AdminDisableUser"), disabled, "{weaknesses}");
        assert!(pool.called("AdminEnableUser").is_empty(), "{weaknesses}");
    }
}

#[tokio::test]
async fn a_user_who_signs_in_while_being_disabled_is_enabled_again() {
    for (weaknesses, enabled) in [("", &["jane"][..]), ("no-check-before-disable", &[][..])] {
        let pool = Pool::new(weaknesses, 1000).await;
        pool.strike(|call, tables| {
            if call.operation == "AdminDisableUser" {
                tables.put(TABLE, "sub-jane", row("jane"));
            }
            None
        });
        for _ in 0..2 {
            assert_eq!(pool.prune(&[expired(1, "jane")]).await, Ok(vec![]), "{weaknesses}");
        }
        assert_eq!(pool.called("AdminEnableUser"), enabled, "{weaknesses}");
    }
}

#[tokio::test]
async fn an_attempt_that_died_after_disabling_is_resumed() {
    for signs_in in [true, false] {
        let pool = Pool::new("", 1000).await;
        let died = AtomicBool::new(false);
        pool.strike(move |call, _| {
            let dies = call.operation == "AdminDisableUser" && !died.swap(true, Ordering::SeqCst);
            dies.then(|| Reply::Json(400, json!({"__type": "NotAuthorizedException", "message": "done, but the answer was lost"})))
        });
        assert_eq!(pool.prune(&[expired(1, "jane")]).await, Ok(vec!["1".to_owned()]));
        if signs_in {
            pool.tables.put(TABLE, "sub-jane", row("jane"));
        }
        for _ in 0..2 {
            assert_eq!(pool.prune(&[expired(1, "jane")]).await, Ok(vec![]));
        }
        let (disables, enables) = (pool.called("AdminDisableUser").len(), pool.called("AdminEnableUser").len());
        assert_eq!((disables, enables), if signs_in { (1, 1) } else { (2, 0) });
    }
}

#[tokio::test]
async fn only_the_services_own_deletes_disable() {
    let pool = Pool::new("", 1000).await;
    let mut by_hand = expired(1, "jane");
    by_hand.as_object_mut().unwrap().remove("userIdentity");
    let mut inserted = expired(2, "john");
    inserted["eventName"] = json!("INSERT");
    assert_eq!(pool.prune(&[by_hand, inserted]).await, Ok(vec![]));
    assert!(pool.called("AdminDisableUser").is_empty());
}

#[tokio::test]
async fn one_bad_record_or_missing_user_blocks_no_other() {
    let mut bad = expired(2, "bad");
    bad["dynamodb"]["OldImage"].as_object_mut().unwrap().remove("username");
    let batch = [expired(1, "missing"), bad, expired(3, "refused"), expired(4, "jane")];
    let refuses = |call: &Call, _: &Tables| {
        (call.body["Username"] == "refused")
            .then(|| Reply::Json(400, json!({"__type": "ResourceNotFoundException", "message": "no such pool"})))
    };
    let pool = Pool::new("", 1000).await;
    pool.strike(refuses);
    assert_eq!(pool.prune(&batch).await, Ok(vec!["2".to_owned(), "3".to_owned()]));
    assert_eq!(pool.called("AdminDisableUser"), ["missing", "refused", "jane"]);

    let weak = Pool::new("whole-batch-fails", 1000).await;
    assert_eq!(weak.prune(&batch).await, Err(Failure::NoSuchUser));
    assert_eq!(weak.called("AdminDisableUser"), ["missing"], "those behind it wait for ever");
}

#[tokio::test]
async fn an_exceeded_quota_is_waited_for() {
    let pool = Pool::new("", 1000).await;
    let refusals = AtomicUsize::new(0);
    pool.strike(move |call, _| (call.operation == "AdminDisableUser" && refusals.fetch_add(1, Ordering::SeqCst) < 2).then(too_many));
    assert_eq!(pool.prune(&[expired(1, "jane"), expired(2, "john")]).await, Ok(vec![]));
    assert_eq!(pool.called("AdminDisableUser"), ["jane", "jane", "jane", "john"]);
}

#[tokio::test]
async fn all_environments_together_stay_within_the_quota() {
    let pool = Pool::new("", 10).await;
    let other = function(&pool.cloud, "", 10).await;
    let begun = Instant::now();
    let batch = |from: u32| (from..from + 6).map(|n| expired(n, &format!("user-{n}"))).collect::<Vec<_>>();
    let deadline = Deadline::at(SystemTime::now() + Duration::from_secs(600));
    let first = batch(0);
    let (one, two) = tokio::join!(pool.prune(&first), other.answer(json!({"Records": batch(10)}), deadline));
    assert_eq!((one, two), (Ok(vec![]), Ok(json!({"batchItemFailures": []}))));
    assert_eq!(pool.called("AdminDisableUser").len(), 12);
    // Between the first and the twelfth call are eleven steps of more than a tenth of a second.
    assert!(begun.elapsed() >= Duration::from_millis(11 * 105), "{:?}", begun.elapsed());

    let weak = Pool::new("no-rate-limit", 1).await;
    assert_eq!(weak.prune(&first).await, Ok(vec![]));
    assert_eq!((weak.called("AdminDisableUser").len(), weak.tables.row(DISABLES, "pace")), (6, None));
}

#[tokio::test]
async fn records_without_enough_time_are_retried() {
    let pool = Pool::new("", 1000).await;
    let batch = [expired(1, "jane"), expired(2, "john"), expired(3, "joy")];
    assert_eq!(pool.prune_within(&batch, Duration::ZERO).await, Ok(vec!["1".into(), "2".into(), "3".into()]));
    assert!(pool.cloud.calls("GetItem").is_empty(), "nothing was even begun");
    assert_eq!(pool.prune(&batch[..1]).await, Ok(vec![]));
    // Other environments have taken all turns for years to come.
    pool.tables.put(DISABLES, "pace", json!({"id": {"S": "pace"}, "next": {"N": "4000000000000"}}));
    assert_eq!(pool.prune(&batch).await, Ok(vec!["2".into(), "3".into()]), "the first is done already");
    assert_eq!(pool.called("AdminDisableUser"), ["jane"]);
}

#[tokio::test]
async fn a_failing_table_disables_no_user() {
    let pool = Pool::new("", 1000).await;
    for table in [TABLE, DISABLES] {
        pool.strike(move |call, _| (call.body["TableName"] == table).then(|| Reply::Json(500, json!({}))));
        assert_eq!(pool.prune(&[expired(1, "jane")]).await, Ok(vec!["1".to_owned()]), "{table}");
    }
    assert!(pool.called("AdminDisableUser").is_empty());
}
