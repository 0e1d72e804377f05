//! The tables against moto, an independent implementation of DynamoDB: the same calls have the same
//! answers. Calls for which moto differs from DynamoDB are not in the list: it gives no
//! `LastEvaluatedKey` at the end of a table, and another exception for an index that does not exist;
//! and it accepts keys of a wrong type, filters on keys and values that no expression uses. Messages
//! are not compared. It needs moto in the folder
//! that `MOTO` names; without it the test prints that it was skipped.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use template::blueprint::{Blueprint, Table};

use super::stage::{Calls, Stage, orders};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn moto() -> Option<(Server, Calls)> {
    let folder =
        std::env::var_os("MOTO").map(PathBuf::from).unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/moto"));
    if !folder.join("moto").is_dir() {
        println!("skipped: moto is not in `{}`; `.ci/run` brings it", folder.display());
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("python3");
    command.args(["-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", &port.to_string()]).env("PYTHONPATH", folder);
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "moto does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some((server, Calls::to(format!("http://127.0.0.1:{port}"))))
}

fn writes() -> Vec<(&'static str, Value)> {
    let order = |number: &str, state: &str, total: &str| json!({"customer": {"S": "a"}, "number": {"N": number}, "state": {"S": state}, "total": {"N": total}, "note": {"S": "n"}});
    let key = |number: &str| json!({"customer": {"S": "a"}, "number": {"N": number}});
    let update = |number: &str, expression: &str, values: Value, returns: &str| {
        json!({"TableName": "orders", "Key": key(number), "UpdateExpression": expression, "ExpressionAttributeNames": {"#t": "total"},
            "ExpressionAttributeValues": values, "ReturnValues": returns})
    };
    vec![
        ("PutItem", json!({"TableName": "orders", "Item": order("10", "open", "5")})),
        ("PutItem", json!({"TableName": "orders", "Item": order("9", "paid", "7.5")})),
        ("PutItem", json!({"TableName": "orders", "Item": order("9", "open", "8"), "ReturnValues": "ALL_OLD"})),
        (
            "PutItem",
            json!({"TableName": "orders", "Item": order("2", "open", "1"), "ConditionExpression": "attribute_not_exists(customer)"}),
        ),
        (
            "PutItem",
            json!({"TableName": "orders", "Item": order("2", "open", "1"), "ConditionExpression": "attribute_not_exists(customer)"}),
        ),
        ("PutItem", json!({"TableName": "orders", "Item": {"customer": {"S": "a"}}})),
        ("PutItem", json!({"TableName": "none", "Item": {"id": {"S": "a"}}})),
        ("UpdateItem", update("10", "SET #t = #t + :n", json!({":n": {"N": "1.5"}}), "UPDATED_NEW")),
        ("UpdateItem", update("10", "SET #t = if_not_exists(#t, :n)", json!({":n": {"N": "3"}}), "ALL_NEW")),
        ("UpdateItem", update("11", "ADD #t :n", json!({":n": {"N": "3"}}), "ALL_NEW")),
        ("UpdateItem", update("11", "SET tags = :s ADD #t :n", json!({":n": {"N": "-1"}, ":s": {"SS": ["x", "y"]}}), "UPDATED_OLD")),
        ("UpdateItem", update("11", "DELETE tags :s SET #t = :n", json!({":n": {"N": "1"}, ":s": {"SS": ["x"]}}), "ALL_NEW")),
        ("DeleteItem", json!({"TableName": "orders", "Key": key("11"), "ReturnValues": "ALL_OLD"})),
        ("DeleteItem", json!({"TableName": "orders", "Key": key("11")})),
        ("DeleteItem", json!({"TableName": "orders", "Key": {"customer": {"S": "a"}}})),
        (
            "TransactWriteItems",
            json!({"TransactItems": [
                {"Put": {"TableName": "plain", "Item": {"id": {"S": "t"}, "n": {"N": "1"}}}},
                {"Update": {"TableName": "plain", "Key": {"id": {"S": "u"}}, "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}},
            ]}),
        ),
        (
            "BatchWriteItem",
            json!({"RequestItems": {"plain": [{"PutRequest": {"Item": {"id": {"S": "b"}}}}, {"DeleteRequest": {"Key": {"id": {"S": "t"}}}}]}}),
        ),
    ]
}

fn reads() -> Vec<(&'static str, Value)> {
    let query = |condition: &str, values: Value| json!({"TableName": "orders", "KeyConditionExpression": condition, "ExpressionAttributeNames": {"#n": "number"}, "ExpressionAttributeValues": values});
    let plain = json!({"TableName": "orders", "KeyConditionExpression": "customer = :c", "ExpressionAttributeValues": {":c": {"S": "a"}}});
    let with = |body: &Value, more: Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let by_state = json!({"TableName": "orders", "IndexName": "by-state", "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":s": {"S": "open"}}});
    vec![
        ("GetItem", json!({"TableName": "orders", "Key": {"customer": {"S": "a"}, "number": {"N": "10"}}})),
        ("GetItem", json!({"TableName": "orders", "Key": {"customer": {"S": "a"}, "number": {"N": "11"}}})),
        ("GetItem", json!({"TableName": "orders", "Key": {"customer": {"S": "a"}, "number": {"N": "9"}}, "ProjectionExpression": "note"})),
        ("Query", plain.clone()),
        ("Query", with(&plain, json!({"ScanIndexForward": false}))),
        ("Query", with(&plain, json!({"Limit": 1}))),
        ("Query", with(&plain, json!({"Select": "COUNT"}))),
        ("Query", query("customer = :c AND #n > :n", json!({":c": {"S": "a"}, ":n": {"N": "2"}}))),
        ("Query", query("customer = :c AND #n BETWEEN :n AND :m", json!({":c": {"S": "a"}, ":n": {"N": "2"}, ":m": {"N": "9"}}))),
        ("Query", query("#n = :n", json!({":n": {"N": "2"}}))),
        ("Query", by_state.clone()),
        ("Query", with(&by_state, json!({"ScanIndexForward": false}))),
        ("Query", with(&plain, json!({"IndexName": "by-total"}))),
        ("Query", json!({"TableName": "plain", "KeyConditionExpression": "id = :b", "ExpressionAttributeValues": {":b": {"S": "b"}}})),
        ("Scan", json!({"TableName": "plain", "FilterExpression": "id <> :b", "ExpressionAttributeValues": {":b": {"S": "b"}}})),
        ("Scan", json!({"TableName": "orders", "FilterExpression": "contains(note, :n)", "ExpressionAttributeValues": {":n": {"S": "n"}}})),
        ("Scan", json!({"TableName": "orders", "FilterExpression": "size(note) > :n", "ExpressionAttributeValues": {":n": {"N": "3"}}})),
        (
            "Query",
            with(&plain, json!({"FilterExpression": "note = :n", "ExpressionAttributeValues": {":c": {"S": "a"}, ":n": {"S": "x"}}})),
        ),
        ("Query", with(&plain, json!({"ExclusiveStartKey": {"customer": {"S": "a"}, "number": {"N": "9"}}}))),
        ("Query", with(&by_state, json!({"ConsistentRead": true}))),
        ("GetItem", json!({"TableName": "plain", "Key": {"id": {"S": "a"}, "more": {"S": "b"}}})),
        ("Scan", json!({"TableName": "plain", "FilterExpression": "status = :s", "ExpressionAttributeValues": {":s": {"S": "b"}}})),
        ("BatchGetItem", json!({"RequestItems": {"plain": {"Keys": [{"id": {"S": "b"}}, {"id": {"S": "none"}}]}}})),
        ("TransactGetItems", json!({"TransactItems": [{"Get": {"TableName": "plain", "Key": {"id": {"S": "u"}}}}]})),
    ]
}

/// An answer without what the two may have in any order, and errors by their names only.
fn comparable((status, mut answer): (u16, Value)) -> (u16, Value) {
    if status >= 400 {
        let kind = answer["__type"].as_str().unwrap_or_default().rsplit('#').next().unwrap_or_default();
        return (status, json!(kind));
    }
    if let Some(answer) = answer.as_object_mut() {
        // moto gives these without being asked.
        answer.remove("ItemCollectionMetrics");
        answer.remove("ConsumedCapacity");
    }
    (status, answer)
}

#[tokio::test]
async fn the_same_calls_have_the_same_answers() {
    let Some((_server, theirs)) = moto() else { return };
    let stage = Stage::up(Blueprint { tables: vec![orders(), Table::keyed("plain", "id")], ..Blueprint::default() }).await;
    for table in ["orders", "plain"] {
        let (_, described) = stage.calls.dynamodb("DescribeTable", &json!({"TableName": table})).await;
        let mut create = json!({"TableName": table, "BillingMode": "PAY_PER_REQUEST"});
        for part in ["KeySchema", "AttributeDefinitions"] {
            create[part] = described["Table"][part].clone();
        }
        for part in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            let only = |index: &Value| json!({"IndexName": index["IndexName"], "KeySchema": index["KeySchema"], "Projection": index["Projection"]});
            if let Some(indexes) = described["Table"][part].as_array() {
                create[part] = indexes.iter().map(only).collect();
            }
        }
        let (status, answer) = theirs.dynamodb("CreateTable", &create).await;
        assert_eq!(status, 200, "{answer}");
    }
    let mut differences = Vec::new();
    for (operation, body) in writes().into_iter().chain(reads()) {
        let ours = comparable(stage.calls.dynamodb(operation, &body).await);
        let theirs = comparable(theirs.dynamodb(operation, &body).await);
        if ours != theirs {
            differences.push(format!("{operation} {body}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    stage.services.stop().await;
}
