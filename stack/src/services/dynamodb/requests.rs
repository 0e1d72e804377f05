//! A write's request, parsed once into what is to be done. It reads no row.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::{Expr, parse_expression, parse_update_expression};
use winterbaume_dynamodb::types::{AttributeValue, UpdateAction};

use super::expressions;
use super::values;
use crate::services::wire::{Answer, Call, JSON_1_0};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The exception.
    pub kind: &'static str,
    /// Its message.
    pub message: String,
    /// What else the exception contains, such as the row for which a condition failed.
    pub more: Option<Box<(&'static str, Value)>>,
}

impl Refusal {
    /// A `ValidationException`.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { kind: "ValidationException", message: message.into(), more: None }
    }

    /// The answer for the caller.
    pub fn answer(self) -> Answer {
        let status = if self.kind == "InternalServerError" { 500 } else { 400 };
        let mut body = json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{}", self.kind), "message": self.message});
        if let (Some(more), Some(body)) = (self.more, body.as_object_mut()) {
            body.insert(more.0.to_owned(), more.1);
        }
        Answer { error_type: Some(self.kind.to_owned()), status, ..Answer::ok(JSON_1_0, &body) }
    }
}

/// One write.
#[derive(Debug)]
pub struct Write {
    /// The table.
    pub table: String,
    /// The change.
    pub change: Change,
    /// The condition for it.
    pub condition: Option<Expr>,
    /// What it returns.
    pub returns: Returns,
    /// Whether the row is returned if the condition fails for it.
    pub shows_old: bool,
    /// `ReturnConsumedCapacity`.
    pub capacity: Option<String>,
}

/// The change that a write makes.
#[derive(Debug)]
pub enum Change {
    /// Puts a whole row, replacing any other.
    Put(Item),
    /// Changes attributes of the row with this key, and creates it if it does not exist.
    Update(Item, Vec<UpdateAction>),
    /// Deletes the row with this key.
    Delete(Item),
    /// Changes nothing: only its condition counts, in a transaction.
    Check(Item),
}

/// `ReturnValues`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Returns {
    /// Nothing.
    #[default]
    None,
    /// The row before the write.
    AllOld,
    /// The changed attributes before the write.
    UpdatedOld,
    /// The row after the write.
    AllNew,
    /// The changed attributes after the write.
    UpdatedNew,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum OnFailure {
    #[default]
    None,
    AllOld,
}

/// A put, an update, a delete or a check, alone or in a transaction.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Asked {
    table_name: String,
    item: Option<Item>,
    key: Option<Item>,
    update_expression: Option<String>,
    condition_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: HashMap<String, String>,
    #[serde(default)]
    expression_attribute_values: HashMap<String, AttributeValue>,
    #[serde(default)]
    return_values: Returns,
    #[serde(default)]
    return_values_on_condition_check_failure: OnFailure,
    return_consumed_capacity: Option<String>,
    #[serde(rename = "ReturnItemCollectionMetrics")]
    _metrics: Option<IgnoredAny>,
}

/// A transaction, whose writes are all carried out or none.
pub struct Transaction {
    /// Its writes.
    pub writes: Vec<Write>,
    /// `ClientRequestToken`: with the same token it is carried out once.
    pub token: Option<String>,
    /// Its writes as they were sent, by which a token is compared.
    pub text: String,
    /// `ReturnConsumedCapacity`.
    pub capacity: Option<String>,
}

/// The single write of a `PutItem`, `UpdateItem` or `DeleteItem`.
///
/// # Errors
/// If it is not one of these or is not supported here.
pub fn single(call: &Call) -> Result<Write, Refusal> {
    let body = checked(call)?;
    let allowed: &[Returns] = if call.operation == "UpdateItem" {
        &[Returns::None, Returns::AllOld, Returns::UpdatedOld, Returns::AllNew, Returns::UpdatedNew]
    } else {
        &[Returns::None, Returns::AllOld]
    };
    let write = write(&call.operation, body)?;
    if allowed.contains(&write.returns) { Ok(write) } else { Err(Refusal::invalid("Return values set to invalid value")) }
}

/// The writes of a `BatchWriteItem`.
///
/// # Errors
/// If it is not valid.
pub fn batch(call: &Call) -> Result<Vec<Write>, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Batch {
        request_items: BTreeMap<String, Vec<Request>>,
    }
    #[derive(Deserialize)]
    enum Request {
        PutRequest {
            #[serde(rename = "Item")]
            item: Item,
        },
        DeleteRequest {
            #[serde(rename = "Key")]
            key: Item,
        },
    }
    let batch: Batch = read(checked(call)?)?;
    let requests = batch.request_items.into_iter().flat_map(|(table, all)| all.into_iter().map(move |request| (table.clone(), request)));
    let plain = |(table, request)| {
        let change = match request {
            Request::PutRequest { item } => Change::Put(values::row(item).map_err(Refusal::invalid)?),
            Request::DeleteRequest { key } => Change::Delete(values::row(key).map_err(Refusal::invalid)?),
        };
        Ok(Write { table, change, condition: None, returns: Returns::None, shows_old: false, capacity: None })
    };
    let writes: Vec<Write> = requests.map(plain).collect::<Result<_, _>>()?;
    match writes.len() {
        1..=25 => Ok(writes),
        0 => Err(Refusal::invalid("The batch write request list cannot be empty")),
        _ => Err(Refusal::invalid("Too many items requested for the BatchWriteItem call")),
    }
}

/// The writes of a `TransactWriteItems`.
///
/// # Errors
/// If it is not valid or is not supported here.
pub fn transaction(call: &Call) -> Result<Transaction, Refusal> {
    let mut body = checked(call)?;
    let token = body.get("ClientRequestToken").and_then(Value::as_str).map(str::to_owned);
    let capacity = body.get("ReturnConsumedCapacity").and_then(Value::as_str).map(str::to_owned);
    let actions = body.get_mut("TransactItems").map(Value::take).unwrap_or_default();
    let text = actions.to_string();
    let actions: Vec<BTreeMap<String, Value>> = read(actions)?;
    let mut writes = Vec::new();
    for action in actions {
        let mut action = action.into_iter();
        match (action.next(), action.next()) {
            (Some((kind, asked)), None) => writes.push(write(&kind, asked)?),
            _ => return Err(Refusal::invalid("TransactItems can only contain one of Check, Put, Update or Delete")),
        }
    }
    let fits = (1..=100).contains(&writes.len());
    if fits { Ok(Transaction { writes, token, text, capacity }) } else { Err(Refusal::invalid(length("transactItems", 100))) }
}

/// The message about a list of the wrong length.
pub fn length(name: &str, most: usize) -> String {
    format!(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to \
         {most}, Member must have length greater than or equal to 1"
    )
}

/// Adds `ConsumedCapacity` to an answer if it is asked for: the units of each table, as a list for
/// calls on several tables.
///
/// # Errors
/// If what is asked for is unknown.
pub fn add_capacity(answer: &mut Value, asked: Option<&str>, units: &[(&str, f64)], several: bool) -> Result<(), Refusal> {
    let of_table = |(table, units): &(&str, f64)| match asked {
        Some("INDEXES") => json!({"TableName": table, "CapacityUnits": units, "Table": {"CapacityUnits": units}}),
        _ => json!({"TableName": table, "CapacityUnits": units}),
    };
    let consumed = match asked {
        None | Some("NONE") => return Ok(()),
        Some("TOTAL" | "INDEXES") if several => units.iter().map(of_table).collect(),
        Some("TOTAL" | "INDEXES") => units.first().map(of_table).unwrap_or_default(),
        Some(other) => {
            return Err(Refusal::invalid(format!(
                "1 validation error detected: Value '{other}' at 'returnConsumedCapacity' failed to satisfy constraint: Member must \
                 satisfy enum value set: [INDEXES, TOTAL, NONE]"
            )));
        }
    };
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("ConsumedCapacity".to_owned(), consumed);
    }
    Ok(())
}

/// The body, whose expressions are checked.
///
/// # Errors
/// If it is no JSON or DynamoDB would refuse an expression.
pub fn checked(call: &Call) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(&call.body).map_err(not_read)?;
    match expressions::complaint(&call.operation, &body) {
        Some(complaint) => Err(Refusal::invalid(complaint)),
        None => Ok(body),
    }
}

/// A part of a request.
///
/// # Errors
/// If it does not have the form.
pub fn read<T: serde::de::DeserializeOwned>(body: Value) -> Result<T, Refusal> {
    serde_json::from_value(body).map_err(not_read)
}

fn not_read(error: serde_json::Error) -> Refusal {
    Refusal { kind: "SerializationException", message: error.to_string(), more: None }
}

fn write(kind: &str, body: Value) -> Result<Write, Refusal> {
    let mut asked: Asked = read(body)?;
    asked.item = asked.item.map(values::row).transpose().map_err(Refusal::invalid)?;
    asked.key = asked.key.map(values::row).transpose().map_err(Refusal::invalid)?;
    let placeholders = values::row(std::mem::take(&mut asked.expression_attribute_values))
        .map_err(|why| Refusal::invalid(format!("ExpressionAttributeValues contains invalid value: {why}")))?;
    let (names, placeholders) = (&asked.expression_attribute_names, &placeholders);
    let condition = asked.condition_expression.as_deref().map(|text| parse_expression(text, names, placeholders));
    let condition = condition.transpose().map_err(|error| Refusal::invalid(format!("Invalid ConditionExpression: {error}")))?;
    let actions = asked.update_expression.as_deref().map(|text| parse_update_expression(text, names, placeholders));
    let actions = actions.transpose().map_err(Refusal::invalid)?.unwrap_or_default();
    let change = match (kind, asked.item, asked.key) {
        ("PutItem" | "Put", Some(item), None) => Change::Put(item),
        ("UpdateItem" | "Update", None, Some(key)) => Change::Update(key, actions),
        ("DeleteItem" | "Delete", None, Some(key)) => Change::Delete(key),
        ("ConditionCheck", None, Some(key)) if condition.is_some() => Change::Check(key),
        _ => return Err(Refusal::invalid(format!("`{kind}` is not what this request asks, or its row or key is missing"))),
    };
    let shows_old = asked.return_values_on_condition_check_failure == OnFailure::AllOld;
    Ok(Write {
        table: asked.table_name,
        change,
        condition,
        returns: asked.return_values,
        shows_old,
        capacity: asked.return_consumed_capacity,
    })
}
