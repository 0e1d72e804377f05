//! Tables with sort keys and indexes: reads in order and in pages, and what is refused.

use serde_json::{Value, json};
use template::blueprint::{Blueprint, Table, View};

use super::stage::{Calls, Stage, orders};

async fn stage() -> Stage {
    let stage = Stage::up(Blueprint { tables: vec![orders(), Table::keyed("plain", "id")], ..Blueprint::default() }).await;
    for (customer, number, state, total) in
        [("a", "10", "open", "5"), ("a", "9", "paid", "7.5"), ("a", "-1", "open", "100"), ("b", "1", "open", "20"), ("a", "2", "", "1")]
    {
        let mut item = json!({"customer": {"S": customer}, "number": {"N": number}, "total": {"N": total}, "note": {"S": "n"}, "more": {"L": [{"S": "x"}]}});
        if !state.is_empty() {
            item["state"] = json!({"S": state});
        }
        let (status, answer) = stage.calls.dynamodb("PutItem", &json!({"TableName": "orders", "Item": item})).await;
        assert_eq!(status, 200, "{answer}");
    }
    stage
}

fn numbers(answer: &Value) -> Vec<&str> {
    answer["Items"].as_array().unwrap().iter().map(|item| item["number"]["N"].as_str().unwrap()).collect()
}

async fn query(calls: &Calls, more: Value) -> Value {
    let mut body =
        json!({"TableName": "orders", "KeyConditionExpression": "customer = :c", "ExpressionAttributeValues": {":c": {"S": "a"}}});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let (status, answer) = calls.dynamodb("Query", &body).await;
    assert_eq!(status, 200, "{body} {answer}");
    answer
}

#[tokio::test]
async fn a_query_is_in_the_order_of_the_sort_key_and_its_pages_fit_together() {
    let stage = stage().await;
    let calls = &stage.calls;
    assert_eq!(numbers(&query(calls, json!({})).await), ["-1", "2", "9", "10"]);
    assert_eq!(numbers(&query(calls, json!({"ScanIndexForward": false, "Limit": 2})).await), ["10", "9"]);
    for (condition, values, found) in [
        ("customer = :c AND #n > :n", json!({":c": {"S": "a"}, ":n": {"N": "2"}}), vec!["9", "10"]),
        ("#n BETWEEN :n AND :m AND customer = :c", json!({":c": {"S": "a"}, ":n": {"N": "2"}, ":m": {"N": "9.0"}}), vec!["2", "9"]),
        ("customer = :c AND #n = :n", json!({":c": {"S": "a"}, ":n": {"N": "1e1"}}), vec!["10"]),
    ] {
        let more =
            json!({"KeyConditionExpression": condition, "ExpressionAttributeValues": values, "ExpressionAttributeNames": {"#n": "number"}});
        assert_eq!(numbers(&query(calls, more).await), found, "{condition}");
    }
    for forward in [true, false] {
        let (mut all, mut start) = (Vec::new(), Value::Null);
        loop {
            let page = query(calls, json!({"Limit": 3, "ScanIndexForward": forward, "ExclusiveStartKey": start})).await;
            all.extend(numbers(&page).into_iter().map(str::to_owned));
            match page.get("LastEvaluatedKey") {
                Some(last) => start = last.clone(),
                None => break,
            }
        }
        if !forward {
            all.reverse();
        }
        assert_eq!(all, ["-1", "2", "9", "10"], "forward {forward}");
    }
    let counted = query(calls, json!({"Select": "COUNT"})).await;
    assert_eq!(counted, json!({"Count": 4, "ScannedCount": 4}));
    stage.services.stop().await;
}

#[tokio::test]
async fn an_index_holds_only_rows_with_its_key_and_only_what_it_projects() {
    let stage = stage().await;
    let by_state = json!({"TableName": "orders", "IndexName": "by-state", "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "state"}, "ExpressionAttributeValues": {":s": {"S": "open"}}});
    let (status, found) = stage.calls.dynamodb("Query", &by_state).await;
    assert_eq!((status, numbers(&found)), (200, vec!["10", "1", "-1"]), "in the order of the total");
    assert_eq!(found["Items"][0].as_object().unwrap().len(), 5, "keys of both, and the note: {found}");
    let mut page = by_state.clone();
    page["Limit"] = json!(1);
    let (_, first) = stage.calls.dynamodb("Query", &page).await;
    assert_eq!(first["LastEvaluatedKey"].as_object().unwrap().len(), 4, "the keys of index and table");
    page["ExclusiveStartKey"] = first["LastEvaluatedKey"].clone();
    assert_eq!(numbers(&stage.calls.dynamodb("Query", &page).await.1), ["1"]);
    let (_, scanned) = stage.calls.dynamodb("Scan", &json!({"TableName": "orders", "IndexName": "by-state"})).await;
    assert_eq!(scanned["Count"], 4);
    for (change, message) in [
        (json!({"ExpressionAttributeValues": {":s": {"N": "many"}}}), "cannot be converted to a numeric value: many"),
        (json!({"ConsistentRead": true}), "Consistent reads are not supported on global secondary indexes"),
        (json!({"Select": "ALL_ATTRIBUTES"}), "its projection type is not ALL"),
        (json!({"ProjectionExpression": "more"}), "does not project [more]"),
        (json!({"IndexName": "none"}), "does not have the specified index: none"),
    ] {
        let mut body = by_state.clone();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, refused) = stage.calls.dynamodb("Query", &body).await;
        assert!(status == 400 && refused["message"].as_str().unwrap().contains(message), "{change} {refused}");
    }
    let by_total = query(&stage.calls, json!({"IndexName": "by-total", "ConsistentRead": true})).await;
    assert_eq!(numbers(&by_total), ["2", "10", "9", "-1"]);
    assert!(by_total["Items"][0].get("more").is_some());
    stage.services.stop().await;
}

#[tokio::test]
async fn a_page_ends_at_one_megabyte_before_the_filter() {
    let stage = Stage::up(Blueprint { tables: vec![Table::keyed("plain", "id")], ..Blueprint::default() }).await;
    for n in 0..12 {
        let item = json!({"id": {"S": n.to_string()}, "big": {"S": "x".repeat(150_000)}});
        assert_eq!(stage.calls.dynamodb("PutItem", &json!({"TableName": "plain", "Item": item})).await.0, 200);
    }
    let scan = json!({"TableName": "plain", "FilterExpression": "id <> id"});
    let (_, page) = stage.calls.dynamodb("Scan", &scan).await;
    assert_eq!((&page["Count"], &page["ScannedCount"]), (&json!(0), &json!(6)), "{page}");
    assert!(page.get("LastEvaluatedKey").is_some());
    let mut ids = Vec::new();
    for segment in 0..4 {
        let scan = json!({"TableName": "plain", "Segment": segment, "TotalSegments": 4, "ProjectionExpression": "id"});
        let (_, page) = stage.calls.dynamodb("Scan", &scan).await;
        ids.extend(page["Items"].as_array().unwrap().iter().map(|item| item["id"]["S"].as_str().unwrap().to_owned()));
    }
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() >= 6, "{ids:?}");
    stage.services.stop().await;
}

#[tokio::test]
async fn several_rows_are_read_at_once_with_their_projections() {
    let stage = stage().await;
    let key = |number: &str| json!({"customer": {"S": "a"}, "number": {"N": number}});
    let batch = json!({"RequestItems": {"orders": {"Keys": [key("9"), key("77"), key("10")], "ProjectionExpression": "#n, more[0]",
        "ExpressionAttributeNames": {"#n": "number"}}}, "ReturnConsumedCapacity": "TOTAL"});
    let (status, found) = stage.calls.dynamodb("BatchGetItem", &batch).await;
    assert_eq!((status, found["Responses"]["orders"].as_array().unwrap().len()), (200, 2), "{found}");
    assert_eq!(found["Responses"]["orders"][0], json!({"number": {"N": "9"}, "more": {"L": [{"S": "x"}]}}));
    assert_eq!((&found["UnprocessedKeys"], &found["ConsumedCapacity"][0]["CapacityUnits"]), (&json!({}), &json!(1.0)));
    let get = |number: &str| json!({"Get": {"TableName": "orders", "Key": key(number), "ProjectionExpression": "note"}});
    let (_, found) = stage.calls.dynamodb("TransactGetItems", &json!({"TransactItems": [get("9"), get("77")]})).await;
    assert_eq!(found["Responses"], json!([{"Item": {"note": {"S": "n"}}}, {}]));
    let twice = json!({"RequestItems": {"orders": {"Keys": [key("9"), key("9.0")]}}});
    assert_eq!(stage.calls.dynamodb("BatchGetItem", &twice).await.0, 400);
    stage.services.stop().await;
}

#[tokio::test]
async fn a_created_table_is_described_as_it_was_created() {
    let stage = stage().await;
    let (_, described) = stage.calls.dynamodb("DescribeTable", &json!({"TableName": "orders"})).await;
    let table = &described["Table"];
    assert_eq!((&table["ItemCount"], &table["GlobalSecondaryIndexes"][0]["ItemCount"]), (&json!(5), &json!(4)), "{table}");
    let create = json!({
        "TableName": "again", "KeySchema": table["KeySchema"], "AttributeDefinitions": table["AttributeDefinitions"], "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": table["GlobalSecondaryIndexes"], "LocalSecondaryIndexes": table["LocalSecondaryIndexes"],
    });
    assert_eq!(stage.calls.dynamodb("CreateTable", &create).await.0, 200);
    let (_, again) = stage.calls.dynamodb("DescribeTable", &json!({"TableName": "again"})).await;
    for part in ["KeySchema", "AttributeDefinitions"] {
        assert_eq!(again["Table"][part], table[part]);
    }
    let (status, refused) = stage.calls.dynamodb("CreateTable", &create).await;
    assert!(status == 400 && refused["__type"].as_str().unwrap().ends_with("#ResourceInUseException"), "{refused}");
    assert_eq!(
        stage.calls.dynamodb("ListTables", &json!({"Limit": 2})).await.1,
        json!({"TableNames": ["again", "orders"], "LastEvaluatedTableName": "orders"})
    );
    assert_eq!(stage.calls.dynamodb("DeleteTable", &json!({"TableName": "again"})).await.0, 200);
    assert_eq!(stage.calls.dynamodb("DescribeTable", &json!({"TableName": "again"})).await.0, 400);
    stage.services.stop().await;
}

#[tokio::test]
async fn a_stream_is_read_by_iterators_with_the_images_of_its_view() {
    for (view, old, new) in [(View::Keys, false, false), (View::New, false, true), (View::Old, true, false), (View::Both, true, true)] {
        let table = Table { streams: Some(view), ..orders() };
        let stage = Stage::up(Blueprint { tables: vec![table], ..Blueprint::default() }).await;
        for note in ["one", "two"] {
            let item = json!({"customer": {"S": "a"}, "number": {"N": "1.0"}, "note": {"S": note}});
            assert_eq!(stage.calls.dynamodb("PutItem", &json!({"TableName": "orders", "Item": item})).await.0, 200);
        }
        let streams = async |operation: &str, body: Value| {
            stage.calls.json("dynamodb", &format!("DynamoDBStreams_20120810.{operation}"), &body).await.1
        };
        let arn = streams("ListStreams", json!({"TableName": "orders"})).await["Streams"][0]["StreamArn"].clone();
        let described = streams("DescribeStream", json!({"StreamArn": arn})).await;
        let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
        let body = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = streams("GetShardIterator", body).await["ShardIterator"].clone();
        let first = streams("GetRecords", json!({"ShardIterator": iterator, "Limit": 1})).await;
        assert_eq!(first["Records"][0]["eventName"], "INSERT");
        let rest = streams("GetRecords", json!({"ShardIterator": first["NextShardIterator"]})).await;
        let record = &rest["Records"][0]["dynamodb"];
        assert_eq!(record["Keys"], json!({"customer": {"S": "a"}, "number": {"N": "1"}}));
        assert_eq!(record["StreamViewType"], described["StreamDescription"]["StreamViewType"]);
        assert_eq!((record["OldImage"]["note"]["S"] == "one", record["NewImage"]["note"]["S"] == "two"), (old, new), "{view:?} {record}");
        assert_eq!((record.get("OldImage").is_some(), record.get("NewImage").is_some()), (old, new), "{view:?}");
        stage.services.stop().await;
    }
}
