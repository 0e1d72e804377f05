//! `users-api` through its SDK client.

use crate::cloud::{Cloud, Reply, SHORT};
use crate::tables::Tables;
use functions::clock::Deadline;
use functions::weaknesses::Weaknesses;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use users_api_functions::users_api::{Settings, UsersApi};

const TABLE: &str = "UsersTable";

struct Api {
    cloud: Cloud,
    tables: Tables,
    function: UsersApi,
}

impl Api {
    async fn new(weaknesses: &str) -> Self {
        let tables = Tables::default();
        let answering = tables.clone();
        let cloud = Cloud::start(move |call| answering.answer(&call.operation, &call.body)).await;
        let function = UsersApi::new(settings("one", weaknesses), &cloud.config(SHORT).await);
        Self { cloud, tables, function }
    }

    /// Another shape on the same table.
    async fn other(&self) -> UsersApi {
        UsersApi::new(settings("per-verb", ""), &self.cloud.config(SHORT).await)
    }

    async fn ask(&self, method: &str, id: Option<&str>, body: Value) -> (u64, Value) {
        ask(&self.function, method, id, body).await
    }

    fn row(&self, id: &str) -> Option<Value> {
        self.tables.row(TABLE, &format!("one#{id}")).map(Value::Object)
    }
}

fn settings(shape: &str, weaknesses: &str) -> Settings {
    Settings { table: TABLE.to_owned(), shape: shape.to_owned(), weaknesses: Weaknesses::parse(weaknesses).unwrap() }
}

async fn ask(function: &UsersApi, method: &str, id: Option<&str>, body: Value) -> (u64, Value) {
    let resource = if id.is_some() { "/users/{id}" } else { "/users" };
    let body = if body.is_null() { Value::Null } else { Value::String(body.to_string()) };
    let event = json!({"httpMethod": method, "resource": resource, "pathParameters": id.map(|id| json!({"id": id})), "body": body});
    said(function.answer(event, ample()).await)
}

async fn list(function: &UsersApi, after: Option<&str>) -> (u64, Value) {
    let event = json!({"httpMethod": "GET", "resource": "/users", "queryStringParameters": after.map(|after| json!({"after": after}))});
    said(function.answer(event, ample()).await)
}

fn said(answer: Value) -> (u64, Value) {
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or(Value::Null);
    (answer["statusCode"].as_u64().unwrap(), body)
}

fn ample() -> Deadline {
    Deadline::at(SystemTime::now() + Duration::from_secs(600))
}

fn user(id: &str, name: &str) -> Value {
    json!({"id": id, "name": name, "email": format!("{id}@x.com")})
}

#[tokio::test]
async fn a_user_is_created_read_replaced_and_deleted() {
    let api = Api::new("").await;
    let (jane, joan) = (user("u-1", "Jane"), user("u-1", "Joan"));
    assert_eq!(api.ask("GET", Some("u-1"), Value::Null).await.0, 404);
    assert_eq!(api.ask("PUT", Some("u-1"), jane.clone()).await.0, 404);
    assert_eq!(api.row("u-1"), None, "a replacement creates no user");
    assert_eq!(api.ask("POST", None, jane.clone()).await, (201, jane.clone()));
    assert_eq!(api.ask("GET", Some("u-1"), Value::Null).await, (200, jane.clone()));
    assert_eq!(api.row("u-1").unwrap(), json!({"id": {"S": "one#u-1"}, "name": {"S": "Jane"}, "email": {"S": "u-1@x.com"}}));
    assert_eq!(api.ask("PUT", Some("u-1"), joan.clone()).await, (200, joan.clone()));
    assert_eq!(api.ask("GET", Some("u-1"), Value::Null).await, (200, joan));
    for _ in 0..2 {
        assert_eq!(api.ask("DELETE", Some("u-1"), Value::Null).await, (204, Value::Null));
    }
    assert_eq!(api.ask("GET", Some("u-1"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn a_repeated_create_changes_nothing_except_with_the_weakness() {
    for (weakness, same, other, left) in [("", 200, 409, "Jane"), ("create-overwrites", 201, 201, "Joan")] {
        let api = Api::new(weakness).await;
        let (jane, joan) = (user("u-1", "Jane"), user("u-1", "Joan"));
        assert_eq!(api.ask("POST", None, jane.clone()).await.0, 201);
        assert_eq!(api.ask("POST", None, jane.clone()).await, (same, jane), "{weakness}");
        assert_eq!(api.ask("POST", None, joan).await.0, other, "{weakness}");
        assert_eq!(api.row("u-1").unwrap()["name"]["S"], left, "{weakness}");
    }
}

#[tokio::test]
async fn a_list_has_every_user_once_a_page_at_a_time_and_no_other_shape_s() {
    let api = Api::new("").await;
    let other = api.other().await;
    for n in 0..60 {
        let of = if n % 2 == 0 { &api.function } else { &other };
        assert_eq!(ask(of, "POST", None, user(&format!("u-{n:02}"), "Jane")).await.0, 201);
    }
    let (status, first) = list(&api.function, None).await;
    let next = first["next"].as_str().unwrap();
    let (_, second) = list(&api.function, Some(next)).await;
    assert_eq!((status, &second["next"]), (200, &Value::Null));
    let both = [first["users"].as_array().unwrap().as_slice(), second["users"].as_array().unwrap()];
    assert_eq!(both.map(<[Value]>::len), [25, 5]);
    let expected: Vec<_> = (0..30).map(|n| user(&format!("u-{:02}", n * 2), "Jane")).collect();
    assert_eq!(both.concat(), expected);
    assert_eq!(ask(&other, "GET", Some("u-00"), Value::Null).await.0, 404, "the other shape does not see it");
    assert_eq!(ask(&other, "DELETE", Some("u-00"), Value::Null).await.0, 204);
    assert!(api.row("u-00").is_some());
    // A page continues from a user that does not exist any more.
    assert_eq!(api.ask("DELETE", Some(next), Value::Null).await.0, 204);
    assert_eq!(list(&api.function, Some(next)).await.1["users"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn invalid_input_is_400_and_names_the_field_and_calls_no_service() {
    let api = Api::new("").await;
    for (method, id, body, field) in [
        ("POST", None, json!({"id": "u-1", "name": "Jane"}), "`email`"),
        ("POST", None, json!({"id": "u_1", "name": "Jane", "email": "a@b"}), "`id`"),
        ("POST", None, Value::Null, "`body`"),
        ("PUT", Some("u-1"), json!({"id": "u-2", "name": "Jane", "email": "a@b"}), "`id`"),
        ("GET", Some("a%20b"), Value::Null, "`id`"),
        ("DELETE", Some(&*"a".repeat(65)), Value::Null, "`id`"),
    ] {
        let (status, said) = api.ask(method, id, body).await;
        assert_eq!(status, 400, "{method} {field}");
        assert!(said["message"].as_str().unwrap().contains(field), "{said}");
    }
    assert_eq!(list(&api.function, Some("u#1")).await.0, 400);
    assert_eq!(api.ask("PATCH", Some("u-1"), Value::Null).await.0, 404);
    for operation in ["GetItem", "PutItem", "DeleteItem", "Scan"] {
        assert!(api.cloud.calls(operation).is_empty(), "{operation}");
    }
}

#[tokio::test]
async fn a_failing_table_is_503_and_404_only_with_the_weakness() {
    let strange = Reply::Json(200, json!({"Item": {"id": {"S": "one#u-1"}}, "Items": [{"id": {"S": "per-verb#u-1"}}]}));
    for (weakness, of_absence) in [("", 503), ("outage-reads-as-absence", 404)] {
        for reply in [Reply::Json(500, json!({})), Reply::Hang, strange.clone()] {
            let api = Api::new(weakness).await;
            assert_eq!(api.ask("POST", None, user("u-1", "Jane")).await.0, 201);
            let (failing, shown) = (reply.clone(), format!("{weakness} {reply:?}"));
            let is_strange = matches!(reply, Reply::Json(200, _));
            api.cloud.behave(move |_| failing.clone());
            assert_eq!(api.ask("GET", Some("u-1"), Value::Null).await.0, of_absence, "{shown}");
            assert_eq!(list(&api.function, None).await.0, 503, "{shown}");
            if !is_strange {
                assert_eq!(api.ask("PUT", Some("u-1"), user("u-1", "Joan")).await.0, of_absence, "{shown}");
                assert_eq!(api.ask("POST", None, user("u-1", "Jane")).await.0, 503, "{shown}");
                assert_eq!(api.ask("DELETE", Some("u-1"), Value::Null).await.0, 503, "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_started_when_no_time_is_left() {
    let api = Api::new("").await;
    let event = json!({"httpMethod": "GET", "resource": "/users/{id}", "pathParameters": {"id": "u-1"}});
    assert_eq!(said(api.function.answer(event, Deadline::at(SystemTime::now())).await).0, 503);
    assert!(api.cloud.calls("GetItem").is_empty());
}

#[tokio::test]
async fn a_write_that_is_not_awaited_is_answered_while_the_table_hangs() {
    let api = Api::new("write-not-awaited").await;
    let tables = api.tables.clone();
    api.cloud.behave(move |call| if call.operation == "GetItem" { tables.answer(&call.operation, &call.body) } else { Reply::Hang });
    assert_eq!(api.ask("POST", None, user("u-1", "Jane")).await.0, 201);
    assert_eq!(api.ask("PUT", Some("u-1"), user("u-1", "Joan")).await.0, 404, "it reads first, and finds no user");
    assert_eq!(api.row("u-1"), None);
    api.tables.put(TABLE, "one#u-1", json!({"id": {"S": "one#u-1"}, "name": {"S": "Jane"}, "email": {"S": "u-1@x.com"}}));
    assert_eq!(api.ask("POST", None, user("u-1", "Jane")).await.0, 200);
    assert_eq!(api.ask("POST", None, user("u-1", "Joan")).await.0, 409);
    assert_eq!(api.ask("PUT", Some("u-1"), user("u-1", "Joan")).await.0, 200);
    assert_eq!(api.ask("DELETE", Some("u-1"), Value::Null).await.0, 204);
    assert_eq!(api.row("u-1").unwrap()["name"]["S"], "Jane");
}
