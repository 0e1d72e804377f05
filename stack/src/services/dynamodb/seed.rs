//! The calls that create the declared tables and fill them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use template::blueprint::Table;

/// The calls that create these tables, with their rows. An item's life counts from when it is
/// written, so the time to live is configured first.
pub fn calls(tables: &[Table], rows: &BTreeMap<String, Vec<Value>>) -> Vec<(&'static str, Value)> {
    let mut calls = Vec::new();
    for table in tables {
        calls.push(("CreateTable", create(&table.name, &table.key.partition.name)));
        if let Some(attribute) = &table.expires_by {
            let specification = json!({"AttributeName": attribute, "Enabled": true});
            calls.push(("UpdateTimeToLive", json!({"TableName": table.name, "TimeToLiveSpecification": specification})));
        }
        let items = rows.get(&table.name).into_iter().flatten();
        calls.extend(items.map(|item| ("PutItem", json!({"TableName": table.name, "Item": item}))));
    }
    calls
}

fn create(name: &str, key: &str) -> Value {
    json!({
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}
