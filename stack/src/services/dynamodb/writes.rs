//! Carries writes out: the row before, the condition, the row after, and only then the table and
//! its watchers. The caller makes sure that there is no other writer meanwhile.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use winterbaume_dynamodb::types::{AttributeValue, Table};
use winterbaume_dynamodb::{DynamoDbBackend, DynamoDbError, Item};

use super::conditions::{holds, kind_of};
use super::requests::{self, Change, Refusal, Returns, Write};
use super::{DynamoDb, updates, values};
use crate::platform::names::{ACCOUNT, REGION};
use crate::services::wire::{Answer, Call, JSON_1_0};

/// The largest row, in bytes. Source: Amazon DynamoDB, quotas.
const LARGEST_ROW: usize = 400 * 1024;

/// How many tokens of transactions are remembered; AWS remembers them for 10 minutes.
const TOKENS: usize = 1_000;

/// A row about to change.
pub(super) struct Staged {
    pub table: String,
    pub key: Item,
    pub before: Option<Item>,
    pub after: Option<Item>,
    /// What is returned to the caller.
    attributes: Option<Item>,
    /// False if only its condition counts.
    writes: bool,
}

impl DynamoDb {
    /// `PutItem`, `UpdateItem` and `DeleteItem`.
    pub(super) async fn write_one(&self, call: &Call) -> Result<Answer, Refusal> {
        let staged = self.stage(requests::single(call)?).await?;
        let body = staged.attributes.as_ref().map_or_else(|| json!({}), |attributes| json!({"Attributes": attributes}));
        self.store(staged).await?;
        Ok(Answer::ok(JSON_1_0, &body))
    }

    /// `BatchWriteItem`.
    pub(super) async fn write_batch(&self, call: &Call) -> Result<Answer, Refusal> {
        let mut all = Vec::new();
        for write in requests::batch(call)? {
            all.push(self.stage(write).await?);
        }
        if has_twice(&all) {
            return Err(Refusal::invalid("Provided list of item keys contains duplicates"));
        }
        for staged in all {
            self.store(staged).await?;
        }
        Ok(Answer::ok(JSON_1_0, &json!({"UnprocessedItems": {}})))
    }

    /// `TransactWriteItems`.
    pub(super) async fn write_transaction(&self, call: &Call) -> Result<Answer, Refusal> {
        let transaction = requests::transaction(call)?;
        let done = Answer::ok(JSON_1_0, &json!({}));
        if transaction.token.as_ref().is_some_and(|token| self.tokens().contains(token)) {
            return Ok(done);
        }
        let (mut all, mut reasons, mut cancelled) = (Vec::new(), Vec::new(), false);
        for write in transaction.writes {
            match self.stage(write).await {
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
            return Err(Refusal {
                kind: "TransactionCanceledException",
                message,
                more: Some(Box::new(("CancellationReasons", Value::Array(reasons)))),
            });
        }
        for staged in all {
            self.store(staged).await?;
        }
        if let Some(token) = transaction.token {
            let mut tokens = self.tokens();
            tokens.push_back(token);
            let over = tokens.len().saturating_sub(TOKENS);
            tokens.drain(..over);
        }
        Ok(done)
    }

    /// What a write would make of its row, if its condition holds.
    async fn stage(&self, write: Write) -> Result<Staged, Refusal> {
        let table = self.backend.describe_table(ACCOUNT.to_owned(), REGION.to_owned(), write.table.clone()).await.map_err(refused)?;
        let key = match &write.change {
            Change::Put(item) => key_of(&table, item)?,
            Change::Update(key, _) | Change::Delete(key) | Change::Check(key) => whole_key(&table, key)?,
        };
        let before = self.row(&write.table, key.clone()).await?;
        if let Some(condition) = &write.condition
            && !holds(condition, before.as_ref().unwrap_or(&Item::new()))
        {
            let more = before.filter(|_| write.shows_old).map(|row| Box::new(("Item", json!(row))));
            return Err(Refusal { kind: "ConditionalCheckFailedException", message: "The conditional request failed".to_owned(), more });
        }
        let writes = !matches!(write.change, Change::Check(_));
        let (after, touched) = match write.change {
            Change::Put(item) => (Some(item), None),
            Change::Delete(_) => (None, None),
            Change::Check(_) => (before.clone(), None),
            Change::Update(_, actions) => {
                let after = updates::applied(&actions, before.as_ref().unwrap_or(&key), &keys(&table)).map_err(Refusal::invalid)?;
                (Some(after), updates::touched(&actions))
            }
        };
        if after.as_ref().is_some_and(|row| values::bytes(row) > LARGEST_ROW) {
            return Err(Refusal::invalid("Item size has exceeded the maximum allowed size"));
        }
        let attributes = returned(write.returns, before.as_ref(), after.as_ref(), touched.as_deref())?;
        Ok(Staged { table: write.table, key, before, after, attributes, writes })
    }

    /// Writes a row, and reports it to the table's watchers.
    pub(super) async fn store(&self, staged: Staged) -> Result<(), Refusal> {
        if !staged.writes {
            return Ok(());
        }
        let (account, region, table) = (ACCOUNT.to_owned(), REGION.to_owned(), staged.table.clone());
        match &staged.after {
            Some(row) => self.backend.put_item(account, region, table, row.clone()).await,
            None => self.backend.delete_item(account, region, table, staged.key.clone()).await,
        }
        .map_err(refused)?;
        self.observe(&staged, false);
        Ok(())
    }

    /// A row by its key.
    pub(super) async fn row(&self, table: &str, key: Item) -> Result<Option<Item>, Refusal> {
        self.backend.get_item(ACCOUNT.to_owned(), REGION.to_owned(), table.to_owned(), key).await.map_err(refused)
    }

    /// Deletes an expired row; the stream shows the service as the principal.
    pub(super) async fn delete_expired(&self, table: &str, key: Item, before: Item) -> Result<(), Refusal> {
        self.backend.delete_item(ACCOUNT.to_owned(), REGION.to_owned(), table.to_owned(), key.clone()).await.map_err(refused)?;
        self.observe(&Staged { table: table.to_owned(), key, before: Some(before), after: None, attributes: None, writes: true }, true);
        Ok(())
    }
}

fn keys(table: &Table) -> Vec<&str> {
    [Some(&table.hash_key_attr), table.range_key_attr.as_ref()].into_iter().flatten().map(String::as_str).collect()
}

/// The key within a row.
fn key_of(table: &Table, row: &Item) -> Result<Item, Refusal> {
    let kinds = [(Some(&table.hash_key_attr), Some(&table.hash_key_type)), (table.range_key_attr.as_ref(), table.range_key_type.as_ref())];
    let mut key = Item::new();
    for (name, kind) in kinds.into_iter().filter_map(|(name, kind)| name.zip(kind)) {
        let invalid = |what: &str| Refusal::invalid(format!("One or more parameter values were invalid: {what} {name}"));
        match row.get(name) {
            None => return Err(invalid("Missing the key")),
            Some(value) if kind_of(value) != kind => return Err(invalid("Type mismatch for key")),
            Some(AttributeValue::S(text) | AttributeValue::B(text)) if text.is_empty() => {
                return Err(invalid("An empty string is no key:"));
            }
            Some(value) => key.insert(name.clone(), value.clone()),
        };
    }
    Ok(key)
}

/// A key without any other attribute.
fn whole_key(table: &Table, given: &Item) -> Result<Item, Refusal> {
    match key_of(table, given) {
        Ok(key) if key.len() == given.len() => Ok(key),
        _ => Err(Refusal::invalid("The provided key element does not match the schema")),
    }
}

fn returned(returns: Returns, before: Option<&Item>, after: Option<&Item>, touched: Option<&[String]>) -> Result<Option<Item>, Refusal> {
    let row = match returns {
        Returns::None => return Ok(None),
        Returns::AllOld => return Ok(before.cloned()),
        Returns::AllNew => return Ok(after.cloned()),
        Returns::UpdatedOld => before,
        Returns::UpdatedNew => after,
    };
    let touched =
        touched.ok_or_else(|| Refusal::invalid("what an update changed within an attribute is not given back on this machine"))?;
    let row =
        row.map(|row| row.iter().filter(|(name, _)| touched.contains(name)).map(|(name, value)| (name.clone(), value.clone())).collect());
    Ok(row.filter(|row: &Item| !row.is_empty()))
}

fn has_twice(all: &[Staged]) -> bool {
    let name = |staged: &Staged| {
        let mut key: Vec<_> = staged.key.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        key.sort_unstable();
        (staged.table.clone(), key)
    };
    all.iter().map(name).collect::<BTreeSet<_>>().len() < all.len()
}

fn refused(error: DynamoDbError) -> Refusal {
    let kind = match &error {
        DynamoDbError::ResourceNotFound(_) | DynamoDbError::TableNotFound(_) => "ResourceNotFoundException",
        DynamoDbError::InternalError(_) => "InternalServerError",
        _ => "ValidationException",
    };
    Refusal { kind, message: error.to_string(), more: None }
}
