//! Reads: rows by their keys, and pages of queries and scans. They change nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::conditions::holds;
use super::keys;
use super::pages::{self, Page};
use super::paths::{self, Path};
use super::requests::{self, Refusal};
use super::tables::Tables;
use super::values;
use crate::services::wire::Call;

/// The most bytes of a `BatchGetItem`'s answer, and of a `TransactGetItems`. Source: Amazon
/// DynamoDB API reference.
const LARGEST_BATCH: usize = 16 * 1024 * 1024;
const LARGEST_TRANSACTION: usize = 4 * 1024 * 1024;

/// What is read by keys: of `GetItem`, and of one item of `TransactGetItems`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct One {
    table_name: String,
    key: Item,
    projection_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: HashMap<String, String>,
    #[serde(default)]
    consistent_read: bool,
    return_consumed_capacity: Option<String>,
}

/// What is read of a table in a `BatchGetItem`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Several {
    keys: Vec<Item>,
    projection_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: HashMap<String, String>,
    #[serde(default, rename = "ConsistentRead")]
    _consistent: bool,
}

fn projection(text: Option<&str>, names: &HashMap<String, String>) -> Result<Option<Vec<Path>>, Refusal> {
    text.map(|text| paths::read(text, names)).transpose().map_err(Refusal::invalid)
}

/// What of a row is answered.
pub(super) fn shown(row: &Item, projection: Option<&[Path]>) -> Item {
    projection.map_or_else(|| row.clone(), |paths| paths::select(row, paths))
}

fn found(tables: &Tables, table: &str, key: Item) -> Result<Option<Arc<Item>>, Refusal> {
    let shelf = tables.shelf(table)?;
    let place = keys::whole(&shelf.table, &values::row(key).map_err(Refusal::invalid)?)?;
    Ok(shelf.row(&place).cloned())
}

/// `GetItem`.
pub fn get(tables: &Tables, call: &Call) -> Result<Value, Refusal> {
    let asked: One = requests::read(requests::checked(call)?)?;
    let projection = projection(asked.projection_expression.as_deref(), &asked.expression_attribute_names)?;
    let row = found(tables, &asked.table_name, asked.key)?;
    let bytes = row.as_ref().map_or(0, |row| values::bytes(row));
    let mut answer = row.map_or_else(|| json!({}), |row| json!({"Item": shown(&row, projection.as_deref())}));
    let units = pages::read_units(bytes, asked.consistent_read);
    requests::add_capacity(&mut answer, asked.return_consumed_capacity.as_deref(), &[(&asked.table_name, units)], false)?;
    Ok(answer)
}

/// `BatchGetItem`.
pub fn get_batch(tables: &Tables, call: &Call) -> Result<Value, Refusal> {
    let body = requests::checked(call)?;
    let asked: BTreeMap<String, Several> = requests::read(body.get("RequestItems").cloned().unwrap_or_default())?;
    match asked.values().map(|it| it.keys.len()).sum() {
        1..=100_usize => {}
        0 => return Err(Refusal::invalid("The batch get request list cannot be empty")),
        _ => return Err(Refusal::invalid("Too many items requested for the BatchGetItem call")),
    }
    let (mut responses, mut left, mut size, mut units) = (BTreeMap::new(), json!({}), 0, Vec::new());
    for (table, several) in &asked {
        let projection = projection(several.projection_expression.as_deref(), &several.expression_attribute_names)?;
        let twice = several.keys.iter().enumerate().any(|(n, key)| several.keys.iter().skip(n + 1).any(|other| values::same(key, other)));
        if twice {
            return Err(Refusal::invalid("Provided list of item keys contains duplicates"));
        }
        let (mut rows, mut not_read, mut used) = (Vec::new(), Vec::new(), 0.0);
        for key in &several.keys {
            let Some(row) = found(tables, table, key.clone())? else { continue };
            size += values::bytes(&row);
            if size > LARGEST_BATCH {
                not_read.push(key);
            } else {
                used += pages::read_units(values::bytes(&row), several._consistent);
                rows.push(shown(&row, projection.as_deref()));
            }
        }
        if let (false, Some(left)) = (not_read.is_empty(), left.as_object_mut()) {
            let mut rest = body.pointer(&format!("/RequestItems/{table}")).cloned().unwrap_or_default();
            if let Some(rest) = rest.as_object_mut() {
                rest.insert("Keys".to_owned(), json!(not_read));
            }
            left.insert(table.clone(), rest);
        }
        responses.insert(table.clone(), rows);
        units.push((table.as_str(), used));
    }
    let mut answer = json!({"Responses": responses, "UnprocessedKeys": left});
    requests::add_capacity(&mut answer, body.get("ReturnConsumedCapacity").and_then(Value::as_str), &units, true)?;
    Ok(answer)
}

/// `TransactGetItems`.
pub fn get_transaction(tables: &Tables, call: &Call) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct Action {
        get: One,
    }
    let mut body = requests::checked(call)?;
    let actions: Vec<Action> = requests::read(body.get_mut("TransactItems").map(Value::take).unwrap_or_default())?;
    if !(1..=100).contains(&actions.len()) {
        return Err(Refusal::invalid(requests::length("transactItems", 100)));
    }
    let (mut responses, mut size, mut units) = (Vec::new(), 0, BTreeMap::<String, f64>::new());
    for Action { get } in actions {
        let projection = projection(get.projection_expression.as_deref(), &get.expression_attribute_names)?;
        let row = found(tables, &get.table_name, get.key)?;
        let bytes = row.as_ref().map_or(0, |row| values::bytes(row));
        size += bytes;
        // A transaction reads each row twice. Source: Amazon DynamoDB, transactions.
        *units.entry(get.table_name).or_default() += 2.0 * pages::read_units(bytes, true);
        responses.push(row.map_or_else(|| json!({}), |row| json!({"Item": shown(&row, projection.as_deref())})));
    }
    if size > LARGEST_TRANSACTION {
        return Err(Refusal::invalid("Collection size exceeded: a transaction reads at most 4 MB"));
    }
    let mut answer = json!({"Responses": responses});
    let units: Vec<_> = units.iter().map(|(table, units)| (table.as_str(), *units)).collect();
    requests::add_capacity(&mut answer, body.get("ReturnConsumedCapacity").and_then(Value::as_str), &units, true)?;
    Ok(answer)
}

/// `Query` and `Scan`.
pub fn page(tables: &Tables, call: &Call) -> Result<Value, Refusal> {
    let asked: pages::Asked = requests::read(requests::checked(call)?)?;
    let capacity = asked.return_consumed_capacity.clone();
    let table = asked.table_name.clone();
    let consistent = asked.consistent_read;
    let shelf = tables.shelf(&table)?;
    let plan = pages::plan(&call.operation, asked, shelf)?;
    let Page { rows, scanned, bytes, last } = pages::read(&plan, |row| plan.filter.as_ref().is_none_or(|filter| holds(filter, row)));
    let mut answer = json!({"Count": rows.len(), "ScannedCount": scanned});
    if let Some(answer) = answer.as_object_mut() {
        if !plan.counts {
            let rows: Vec<Item> = rows.iter().map(|row| shown(row, plan.projection.as_deref())).collect();
            answer.insert("Items".to_owned(), json!(rows));
        }
        if let Some(last) = last {
            answer.insert("LastEvaluatedKey".to_owned(), json!(last));
        }
    }
    requests::add_capacity(&mut answer, capacity.as_deref(), &[(&table, pages::read_units(bytes, consistent))], false)?;
    Ok(answer)
}

/// The value of a key's attribute as text, for sightings.
pub(super) fn text(value: Option<&AttributeValue>) -> Option<&str> {
    match value? {
        AttributeValue::S(text) | AttributeValue::N(text) | AttributeValue::B(text) => Some(text),
        _ => None,
    }
}
