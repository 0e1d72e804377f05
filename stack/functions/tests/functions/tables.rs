//! Tables in memory that understand as much of DynamoDB's expressions as the functions use. They
//! panic on any other expression.

use crate::cloud::Reply;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

type Row = Map<String, Value>;

#[derive(Clone, Default)]
pub struct Tables(Arc<Mutex<BTreeMap<(String, String), Row>>>);

impl Tables {
    /// The row with that key, if it exists.
    pub fn row(&self, table: &str, key: &str) -> Option<Row> {
        self.0.lock().unwrap().get(&(table.to_owned(), key.to_owned())).cloned()
    }

    /// Puts a row under that key.
    pub fn put(&self, table: &str, key: &str, row: Value) {
        self.0.lock().unwrap().insert((table.to_owned(), key.to_owned()), row.as_object().unwrap().clone());
    }

    /// The rows of a table.
    pub fn rows(&self, table: &str) -> Vec<Row> {
        self.0.lock().unwrap().iter().filter(|((name, _), _)| name == table).map(|(_, row)| row.clone()).collect()
    }

    /// Answers one call.
    pub fn answer(&self, operation: &str, body: &Value) -> Reply {
        let mut rows = self.0.lock().unwrap();
        if operation == "Scan" {
            return scan(&rows, body);
        }
        let given = if operation == "PutItem" { &body["Item"] } else { &body["Key"] };
        let name = match body["TableName"].as_str() {
            Some("LatestPostAuthRecordsDDB") => "sub",
            Some("AuditRecordsTable") => "sourceTransactionID",
            _ => "id",
        };
        let key = (body["TableName"].as_str().unwrap().to_owned(), given[name]["S"].as_str().unwrap().to_owned());
        let old = rows.get(&key).cloned();
        if operation == "GetItem" {
            assert_eq!(body["ConsistentRead"], true, "who looks in order to decide must not see what was");
            return Reply::Json(200, old.map_or(json!({}), |row| json!({"Item": row})));
        }
        let mut row = old.clone().unwrap_or_default();
        if let Some(condition) = body["ConditionExpression"].as_str() {
            let mut tokens = tokens(condition);
            let holds = any(&mut tokens, &row, body);
            assert!(tokens.is_empty(), "`{condition}` goes on with {tokens:?}");
            if !holds {
                let error = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
                let mut refused = json!({"__type": error, "message": "The conditional request failed"});
                if let (Some("ALL_OLD"), Some(old)) = (body["ReturnValuesOnConditionCheckFailure"].as_str(), old) {
                    refused["Item"] = Value::Object(old);
                }
                return Reply::Json(400, refused);
            }
        }
        if operation == "DeleteItem" {
            rows.remove(&key);
            return Reply::Json(200, json!({}));
        }
        if operation == "PutItem" {
            row = given.as_object().unwrap().clone();
        } else {
            row.insert(name.to_owned(), given[name].clone());
            update(body["UpdateExpression"].as_str().unwrap(), &mut row, body);
        }
        rows.insert(key, row.clone());
        Reply::Json(
            200,
            match body["ReturnValues"].as_str() {
                None | Some("NONE") => json!({}),
                Some("ALL_OLD") => old.map_or(json!({}), |old| json!({"Attributes": old})),
                Some("ALL_NEW" | "UPDATED_NEW") => json!({"Attributes": row}),
                Some(other) => panic!("`{other}` is not understood"),
            },
        )
    }
}

/// Three rows per page, so that a caller must read several pages, and only rows whose key has the
/// prefix.
fn scan(rows: &BTreeMap<(String, String), Row>, body: &Value) -> Reply {
    assert_eq!((&body["ConsistentRead"], &body["FilterExpression"]), (&json!(true), &json!("begins_with(id, :shape)")));
    let start = body["ExclusiveStartKey"]["id"]["S"].as_str();
    let rest = rows.iter().filter(|((table, key), _)| body["TableName"] == **table && start.is_none_or(|start| key.as_str() > start));
    let page: Vec<_> = rest.clone().take(3).collect();
    let prefix = body["ExpressionAttributeValues"][":shape"]["S"].as_str().unwrap();
    let items: Vec<_> = page.iter().filter(|((_, key), _)| key.starts_with(prefix)).map(|(_, row)| row).collect();
    let mut answer = json!({"Items": items, "Count": items.len(), "ScannedCount": page.len()});
    if let (Some(((_, key), _)), true) = (page.last(), rest.count() > page.len()) {
        answer["LastEvaluatedKey"] = json!({"id": {"S": key}});
    }
    Reply::Json(200, answer)
}

/// The tokens in reverse, so that the next one can be popped.
fn tokens(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace(',', " , ");
    spaced.split_whitespace().rev().map(str::to_owned).collect()
}

fn any(tokens: &mut Vec<String>, row: &Row, body: &Value) -> bool {
    let mut holds = all(tokens, row, body);
    while tokens.last().is_some_and(|token| token == "OR") {
        tokens.pop();
        holds |= all(tokens, row, body);
    }
    holds
}

fn all(tokens: &mut Vec<String>, row: &Row, body: &Value) -> bool {
    let mut holds = one(tokens, row, body);
    while tokens.last().is_some_and(|token| token == "AND") {
        tokens.pop();
        holds &= one(tokens, row, body);
    }
    holds
}

fn one(tokens: &mut Vec<String>, row: &Row, body: &Value) -> bool {
    let first = tokens.pop().unwrap();
    match first.as_str() {
        "(" => {
            let holds = any(tokens, row, body);
            assert_eq!(tokens.pop().as_deref(), Some(")"));
            holds
        }
        "attribute_not_exists" | "attribute_exists" => {
            let [_, path, _] = [tokens.pop().unwrap(), tokens.pop().unwrap(), tokens.pop().unwrap()];
            row.contains_key(attribute(&path, body)) == (first == "attribute_exists")
        }
        path => {
            let (operator, value) = (tokens.pop().unwrap(), tokens.pop().unwrap());
            let (Some(left), right) = (row.get(attribute(path, body)), &body["ExpressionAttributeValues"][&value]) else { return false };
            let order = match (left["N"].as_str(), right["N"].as_str()) {
                (Some(left), Some(right)) => left.parse::<i64>().unwrap().cmp(&right.parse().unwrap()),
                _ if operator == "=" && right["SS"].is_array() => return sorted(left) == sorted(right),
                _ => left["S"].as_str().unwrap().cmp(right["S"].as_str().unwrap()),
            };
            match operator.as_str() {
                "=" => order.is_eq(),
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                other => panic!("`{other}` is not understood"),
            }
        }
    }
}

/// The texts of a set.
fn sorted(set: &Value) -> BTreeSet<&str> {
    set["SS"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn update(expression: &str, row: &mut Row, body: &Value) {
    let mut tokens = tokens(expression);
    let mut action = String::new();
    while let Some(token) = tokens.pop() {
        match token.as_str() {
            "SET" | "ADD" | "REMOVE" => action = token,
            "," => {}
            path => {
                let path = attribute(path, body).to_owned();
                match action.as_str() {
                    "REMOVE" => drop(row.remove(&path)),
                    "ADD" => add(row, path, value(&tokens.pop().unwrap(), body)),
                    "SET" => {
                        assert_eq!(tokens.pop().as_deref(), Some("="));
                        let mut right = tokens.pop().unwrap();
                        if right == "if_not_exists" {
                            let [_, other, _, fallback, _] = std::array::from_fn(|_| tokens.pop().unwrap());
                            assert_eq!(attribute(&other, body), path);
                            right = fallback;
                            if row.contains_key(&path) {
                                continue;
                            }
                        }
                        row.insert(path, value(&right, body));
                    }
                    other => panic!("`{other}` is not understood"),
                }
            }
        }
    }
}

fn add(row: &mut Row, path: String, more: Value) {
    let had = row.get(&path).cloned();
    let sum = match (&had, &more["N"], &more["NS"]) {
        (None, ..) => more,
        (Some(had), Value::String(more), _) => {
            json!({"N": (had["N"].as_str().unwrap().parse::<i64>().unwrap() + more.parse::<i64>().unwrap()).to_string()})
        }
        (Some(had), ..) if more["SS"].is_array() => json!({"SS": &sorted(had) | &sorted(&more)}),
        (Some(had), _, Value::Array(more)) => {
            let both = [had["NS"].as_array().unwrap().as_slice(), more].concat();
            json!({"NS": both})
        }
        other => panic!("{other:?} is not understood"),
    };
    row.insert(path, sum);
}

fn attribute<'a>(path: &'a str, body: &'a Value) -> &'a str {
    if path.starts_with('#') { body["ExpressionAttributeNames"][path].as_str().unwrap() } else { path }
}

fn value(name: &str, body: &Value) -> Value {
    let value = &body["ExpressionAttributeValues"][name];
    assert!(value.is_object(), "`{name}` has no value");
    value.clone()
}
