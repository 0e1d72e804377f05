//! Tables that expire and members who sign in, as functions and the harness use them: over sockets,
//! with the bodies that SDKs send.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use faults::Entry;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use run_folder::addresses::{PASSWORD, Pool};
use run_folder::deployment::{Seed, User};
use run_folder::{Compressed, RunFolder, Seen, Sighting, Sightings};
use serde_json::{Value, json};
use stack::invoke::{Invoke, LateInvoke};
use stack::platform::{InvokeError, Invoked};
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::{Blueprint, PoolEvent, Table, UserPool, View};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const POOL: &str = "members";
const TABLE: &str = "LatestPostAuthRecordsDDB";
const DISABLES_TABLE: &str = "DisablesTable";

fn member(n: u32) -> String {
    format!("member-{n:05}")
}

struct Stage {
    services: Services,
    client: Client<HttpConnector, Full<Bytes>>,
    seen: UnboundedReceiver<Sighting>,
    run: RunFolder,
    invoke: LateInvoke,
    _ledger: UnboundedReceiver<Entry>,
    _folder: tempfile::TempDir,
}

/// Returns every event.
struct Echo;

#[async_trait]
impl Invoke for Echo {
    async fn invoke(&self, _function: &str, event: Bytes, _trace: Option<&str>) -> Result<Invoked, InvokeError> {
        Ok(Invoked { request_id: "r".to_owned(), payload: event, failed: false })
    }
}

impl Stage {
    async fn up(members: u32, expiry: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (ledger, entries) = unbounded_channel();
        let (sightings, seen) = Sightings::channel();
        let invoke = LateInvoke::default();
        let table = |name: &str, key: &str| Table::keyed(name, key);
        let pool = UserPool { name: POOL.into(), triggers: [(PoolEvent::PostAuthentication, "record-sign-in".into())].into() };
        let user = |n: u32| User { name: member(n), groups: Vec::new() };
        let records = Table { expires_by: Some("ttl".to_owned()), streams: Some(View::Both), ..table(TABLE, "sub") };
        let services = start(Settings {
            seed: Seed { users: [(POOL.to_owned(), (0..members).map(user).collect())].into(), ..Seed::default() },
            doors: Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint: Blueprint { tables: vec![records, table(DISABLES_TABLE, "id")], pools: vec![pool], ..Blueprint::default() },
            invoke: invoke.clone(),
            secured: None,
            compressed: Compressed { queues: 1, expiry },
            sightings,
            plan: run.plan(),
            ledger,
        })
        .await
        .unwrap();
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { services, client, seen, run, invoke, _ledger: entries, _folder: folder }
    }

    async fn send(&self, path: &str, target: Option<&str>, body: &Value) -> (u16, Value) {
        let mut request = Request::post(format!("http://{}{path}", self.services.http));
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let response = self.client.request(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    fn pool(&self) -> &Pool {
        self.services.pools.first().unwrap()
    }

    async fn dynamodb(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.send("/", Some(&format!("DynamoDB_20120810.{operation}")), body).await
    }

    async fn cognito(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.send("/", Some(&format!("AWSCognitoIdentityProviderService.{operation}")), body).await
    }

    async fn sign_in(&self, user: &str) -> (u16, Value) {
        let client = &self.pool().client_id;
        let parameters = json!({"USERNAME": user, "PASSWORD": PASSWORD});
        self.cognito("InitiateAuth", &json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": client, "AuthParameters": parameters})).await
    }

    async fn administer(&self, operation: &str, user: &str) -> (u16, Value) {
        self.cognito(operation, &json!({"UserPoolId": self.pool().id, "Username": user})).await
    }
}

#[tokio::test]
async fn members_sign_in_through_their_trigger_and_a_disabled_one_does_not() {
    let mut stage = Stage::up(2, 1).await;
    let member = member(1);
    assert_eq!(stage.pool().name, POOL);
    let (status, refused) = stage.sign_in(&member).await;
    assert_eq!((status, &refused["__type"]), (400, &json!("UnexpectedLambdaException")), "no function can be reached yet");
    stage.invoke.put(Arc::new(Echo));
    assert_eq!(stage.sign_in(&member).await.0, 200);
    assert_eq!(stage.administer("AdminDisableUser", &member).await.0, 200);
    let (status, refused) = stage.sign_in(&member).await;
    assert_eq!((status, &refused["message"]), (400, &json!("User is disabled.")));
    assert_eq!(stage.administer("AdminGetUser", &member).await.1["Enabled"], false);
    assert_eq!(stage.administer("AdminDisableUser", "nobody").await.1["__type"], "UserNotFoundException");

    let plan = json!({"version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [
        {"name": "down", "place": {"service": {"name": "cognito-idp", "operation": "AdminEnableUser"}}, "share": 1.0,
            "kind": {"error": {"type": "ServiceUnavailableException"}}},
    ]});
    stage.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
    let struck = async {
        while stage.administer("AdminEnableUser", &member).await.0 == 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), struck).await.unwrap();
    assert_eq!(stage.administer("AdminGetUser", &member).await.0, 200, "only what the plan names is struck");
    stage.seen.close();
    let mut words = Vec::new();
    while let Some(sighting) = stage.seen.recv().await {
        match sighting.seen {
            Seen::Triggered { outcome, .. } => words.push(outcome),
            Seen::SignedIn { user, .. } => words.push(user),
            Seen::UserDisabled { .. } => words.push("disabled".to_owned()),
            _ => {}
        }
    }
    assert_eq!(words, ["failed", "ok", "member-00001", "disabled"]);
    stage.services.stop().await;
}

#[tokio::test]
async fn a_row_expires_by_itself_and_its_record_says_so() {
    let stage = Stage::up(0, 86_400).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let row = |sub: &str, ttl: u64| {
        json!({"TableName": TABLE, "Item": {
            "sub": {"S": sub}, "timestamp": {"S": "2024-05-01T00:00:00Z"}, "username": {"S": "jane"},
            "userpool_id": {"S": "us-east-1_members"}, "ttl": {"N": ttl.to_string()},
        }})
    };
    let month = 30 * 86_400;
    assert_eq!(stage.dynamodb("PutItem", &row("soon", now + month / 300)).await.0, 200);
    assert_eq!(stage.dynamodb("PutItem", &row("late", now + 1000 * month)).await.0, 200);
    let stream = stage.services.tables.stream(TABLE).unwrap();
    let third = stream.shard().read(0, 1)[0].sequence + 2;
    tokio::time::timeout(Duration::from_secs(60), stream.shard().arrival(third)).await.unwrap();
    let records = stream.shard().read(0, 10);
    let removed: Vec<_> = records.iter().map(|record| &record.value).filter(|record| record["eventName"] == "REMOVE").collect();
    let [record] = removed[..] else { panic!("{removed:?}") };
    assert_eq!(record["dynamodb"]["Keys"], json!({"sub": {"S": "soon"}}));
    assert_eq!(record["userIdentity"], json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
    assert_eq!(record["dynamodb"]["OldImage"], row("soon", now + month / 300)["Item"]);
    let get = |sub: &str| json!({"TableName": TABLE, "Key": {"sub": {"S": sub}}});
    assert_eq!(stage.dynamodb("GetItem", &get("soon")).await, (200, json!({})));
    assert_eq!(stage.dynamodb("GetItem", &get("late")).await.1["Item"]["username"]["S"], "jane");

    let claim = json!({
        "TableName": DISABLES_TABLE, "Key": {"id": {"S": "second"}}, "UpdateExpression": "ADD #c :one",
        "ConditionExpression": "attribute_not_exists(#c) OR #c < :limit", "ExpressionAttributeNames": {"#c": "count"},
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":limit": {"N": "2"}}, "ReturnValues": "UPDATED_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    for n in ["1", "2"] {
        assert_eq!(stage.dynamodb("UpdateItem", &claim).await, (200, json!({"Attributes": {"count": {"N": n}}})));
    }
    let (status, refused) = stage.dynamodb("UpdateItem", &claim).await;
    assert_eq!((status, &refused["Item"]["count"]["N"]), (400, &json!("2")), "{refused}");
    stage.services.stop().await;
}
