//! Carries writes out: the row before, the condition, the row after, and only then the table and
//! its watchers. The caller makes sure that there is no other writer meanwhile.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};
use winterbaume_dynamodb::Item;

use super::conditions::holds;
use super::requests::{self, Change, Refusal, Returns, Write};
use super::store::Place;
use super::tables::{Tables, plain};
use super::{keys, paths, updates, values};
use crate::services::wire::Call;

/// The largest row, in bytes. Source: Amazon DynamoDB, quotas.
const LARGEST_ROW: usize = 400 * 1024;

/// How many tokens of transactions are remembered; AWS remembers them for 10 minutes.
const TOKENS: usize = 1_000;

/// A row about to change.
pub(super) struct Staged {
    pub table: String,
    pub place: Place,
    pub key: Item,
    pub before: Option<Item>,
    pub after: Option<Item>,
    /// What is returned to the caller.
    attributes: Option<Item>,
    /// False if only its condition counts.
    pub writes: bool,
    /// Whether the row is put, whatever was there before.
    pub puts: bool,
}

impl Staged {
    /// The deletion of a row.
    pub(super) fn deletion(table: &str, place: Place, key: Item, before: Item) -> Self {
        Self { table: table.to_owned(), place, key, before: Some(before), after: None, attributes: None, writes: true, puts: false }
    }

    /// Write units. Source: Amazon DynamoDB, read and write capacity.
    fn units(&self) -> f64 {
        let bytes = [&self.before, &self.after].into_iter().flatten().map(values::bytes).max().unwrap_or(0);
        u32::try_from(bytes.div_ceil(1024).max(1)).map_or(f64::INFINITY, f64::from)
    }
}

/// The tokens of finished transactions and what these wrote, oldest first.
#[derive(Default)]
pub struct Tokens(VecDeque<(String, String)>);

/// What a call answers, and what it writes.
pub(super) type Done = (Value, Vec<Staged>);

/// `PutItem`, `UpdateItem` and `DeleteItem`.
pub(super) fn one(tables: &Tables, call: &Call) -> Result<Done, Refusal> {
    let write = requests::single(call)?;
    let capacity = write.capacity.clone();
    let staged = stage(tables, write)?;
    let mut body = staged.attributes.as_ref().map_or_else(|| json!({}), |attributes| json!({"Attributes": attributes}));
    requests::add_capacity(&mut body, capacity.as_deref(), &[(&staged.table, staged.units())], false)?;
    Ok((body, vec![staged]))
}

/// `BatchWriteItem`.
pub(super) fn batch(tables: &Tables, call: &Call) -> Result<Done, Refusal> {
    let all = requests::batch(call)?.into_iter().map(|write| stage(tables, write)).collect::<Result<Vec<_>, _>>()?;
    if has_twice(&all) {
        return Err(Refusal::invalid("Provided list of item keys contains duplicates"));
    }
    let mut body = json!({"UnprocessedItems": {}});
    let asked: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    requests::add_capacity(&mut body, asked.get("ReturnConsumedCapacity").and_then(Value::as_str), &units(&all, 1.0), true)?;
    Ok((body, all))
}

fn units(all: &[Staged], times: f64) -> Vec<(&str, f64)> {
    let mut units = BTreeMap::<&str, f64>::new();
    for staged in all {
        *units.entry(&staged.table).or_default() += times * staged.units();
    }
    units.into_iter().collect()
}

/// `TransactWriteItems`.
pub(super) fn transaction(tables: &Tables, tokens: &mut Tokens, call: &Call) -> Result<Done, Refusal> {
    let transaction = requests::transaction(call)?;
    if let Some((_, text)) = tokens.0.iter().find(|(token, _)| Some(token) == transaction.token.as_ref()) {
        if *text != transaction.text {
            let message = "Request parameters do not match those of the original request with this client token".to_owned();
            return Err(Refusal { kind: "IdempotentParameterMismatchException", message, more: None });
        }
        return Ok((json!({}), Vec::new()));
    }
    let (mut all, mut reasons, mut cancelled) = (Vec::new(), Vec::new(), false);
    for write in transaction.writes {
        match stage(tables, write) {
            Ok(staged) => {
                all.push(staged);
                reasons.push(json!({"Code": "None"}));
            }
            Err(refusal) if refusal.kind == "ConditionalCheckFailedException" => {
                let mut reason = json!({"Code": "ConditionalCheckFailed", "Message": refusal.message});
                if let (Some(more), Some(reason)) = (refusal.more, reason.as_object_mut()) {
                    reason.insert(more.0.to_owned(), more.1);
                }
                reasons.push(reason);
                cancelled = true;
            }
            Err(refusal) => return Err(refusal),
        }
    }
    if has_twice(&all) {
        return Err(Refusal::invalid("Transaction request cannot include multiple operations on one item"));
    }
    if cancelled {
        let codes: Vec<_> = reasons.iter().filter_map(|reason| reason.get("Code")?.as_str()).collect();
        let message = format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
        let more = Some(Box::new(("CancellationReasons", Value::Array(reasons))));
        return Err(Refusal { kind: "TransactionCanceledException", message, more });
    }
    let mut body = json!({});
    // A transaction writes each row twice. Source: Amazon DynamoDB, transactions.
    requests::add_capacity(&mut body, transaction.capacity.as_deref(), &units(&all, 2.0), true)?;
    if let Some(token) = transaction.token {
        tokens.0.push_back((token, transaction.text));
        let over = tokens.0.len().saturating_sub(TOKENS);
        tokens.0.drain(..over);
    }
    Ok((body, all))
}

/// What a write would make of its row, if its condition holds.
fn stage(tables: &Tables, write: Write) -> Result<Staged, Refusal> {
    let shelf = tables.shelf(&write.table)?;
    let key = match &write.change {
        Change::Put(item) => keys::of_row(&shelf.table, item)?,
        Change::Update(key, _) | Change::Delete(key) | Change::Check(key) => key.clone(),
    };
    let place = keys::whole(&shelf.table, &key)?;
    let before = shelf.row(&place).map(|row| Item::clone(row));
    if let Some(condition) = &write.condition
        && !holds(condition, before.as_ref().unwrap_or(&Item::new()))
    {
        let more = before.filter(|_| write.shows_old).map(|row| Box::new(("Item", json!(row))));
        return Err(Refusal { kind: "ConditionalCheckFailedException", message: "The conditional request failed".to_owned(), more });
    }
    let (writes, puts) = (!matches!(write.change, Change::Check(_)), matches!(write.change, Change::Put(_)));
    let (after, touched) = match write.change {
        Change::Put(item) => (Some(item), Vec::new()),
        Change::Delete(_) => (None, Vec::new()),
        Change::Check(_) => (before.clone(), Vec::new()),
        Change::Update(_, actions) => {
            let names: Vec<&str> = keys::attributes(&shelf.table.key).map(|it| it.name.as_str()).collect();
            let after = updates::applied(&actions, before.as_ref().unwrap_or(&key), &names).map_err(Refusal::invalid)?;
            keys::of_row(&shelf.table, &after)?;
            (Some(after), updates::touched(&actions))
        }
    };
    if after.as_ref().is_some_and(|row| values::bytes(row) > LARGEST_ROW) {
        return Err(Refusal::invalid("Item size has exceeded the maximum allowed size"));
    }
    let attributes = match write.returns {
        Returns::None => None,
        Returns::AllOld => before.clone(),
        Returns::AllNew => after.clone(),
        Returns::UpdatedOld => before.as_ref().map(|row| paths::select(row, &touched)).filter(|row| !row.is_empty()),
        Returns::UpdatedNew => after.as_ref().map(|row| paths::select(row, &touched)).filter(|row| !row.is_empty()),
    };
    Ok(Staged { table: plain(&write.table).to_owned(), place, key, before, after, attributes, writes, puts })
}

fn has_twice(all: &[Staged]) -> bool {
    all.iter().map(|staged| (&staged.table, &staged.place)).collect::<BTreeSet<_>>().len() < all.len()
}
