//! Rows of DynamoDB: written only where no row is, deleted only as they were written.

use serde_json::{Map, Value, json};

use super::error::SeedError;
use super::item::{ATTRIBUTE, Item, Undone};
use super::services::{Services, if_there, unless};
use crate::call::CallError;
use crate::signed::Call;

const EXISTS: &str = "ConditionalCheckFailedException";

impl Services {
    async fn dynamodb(&self, name: &'static str, table: &str, body: Value) -> Result<Value, CallError> {
        let target = format!("DynamoDB_20120810.{name}");
        let headers = vec![("content-type", "application/x-amz-json-1.0".to_owned()), ("x-amz-target", target)];
        self.dynamodb.call(&Call { name, of: table, method: "POST", path: "/", headers, body }).await
    }

    /// The names of a table's key attributes.
    pub(super) async fn key_of(&self, table: &str) -> Result<Vec<String>, CallError> {
        let described = self.patience.insist(|| self.dynamodb("DescribeTable", table, json!({"TableName": table}))).await?;
        let schema = described.pointer("/Table/KeySchema").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(schema.iter().filter_map(|key| key["AttributeName"].as_str().map(str::to_owned)).collect())
    }

    async fn row(&self, table: &str, key: &Value) -> Result<Option<Value>, CallError> {
        let body = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        let read = self.patience.insist(|| self.dynamodb("GetItem", table, body.clone())).await;
        Ok(if_there(read)?.and_then(|read| read.get("Item").cloned()))
    }

    pub(super) async fn put_row(&self, item: &Item, table: &str, key: &Value, row: &Value) -> Result<(), SeedError> {
        let names: Vec<&String> = key.as_object().into_iter().flat_map(Map::keys).collect();
        let names: Map<_, _> = names.iter().enumerate().map(|(n, name)| (format!("#k{n}"), json!(name))).collect();
        let condition = names.keys().map(|name| format!("attribute_not_exists({name})")).collect::<Vec<_>>().join(" AND ");
        let body = json!({"TableName": table, "Item": row, "ConditionExpression": condition, "ExpressionAttributeNames": names});
        let put = self.patience.insist(|| async { unless(self.dynamodb("PutItem", table, body.clone()).await, EXISTS) }).await;
        // The answer to an earlier try may have been lost.
        match put.map_err(|cause| SeedError::call(item, cause))? {
            None if self
                .row(table, key)
                .await
                .map_err(|cause| SeedError::call(item, cause))?
                .as_ref()
                .is_none_or(|there| !same(there, row)) =>
            {
                Err(SeedError::Taken(item.to_string()))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn delete_row(&self, table: &str, key: &Value, row: &Value, created: bool) -> Result<Undone, CallError> {
        let Some(there) = self.row(table, key).await? else { return Ok(Undone::Gone) };
        if !same(&there, row) {
            let is_marked = there.get(ATTRIBUTE) == row.get(ATTRIBUTE);
            let changed = || Undone::Changed("somebody changed it since".to_owned());
            return Ok(if created || is_marked { changed() } else { Undone::Gone });
        }
        let of = |n: usize| (format!("#a{n}"), format!(":a{n}"));
        let attributes: Vec<(usize, (&String, &Value))> = row.as_object().into_iter().flatten().enumerate().collect();
        let condition = attributes.iter().map(|(n, _)| format!("{} = {}", of(*n).0, of(*n).1)).collect::<Vec<_>>().join(" AND ");
        let names: Map<_, _> = attributes.iter().map(|(n, (name, _))| (of(*n).0, json!(name))).collect();
        let values: Map<_, _> = attributes.iter().map(|(n, (_, value))| (of(*n).1, (*value).clone())).collect();
        let body = json!({
            "TableName": table, "Key": key, "ConditionExpression": condition,
            "ExpressionAttributeNames": names, "ExpressionAttributeValues": values,
        });
        let deleted = self.patience.insist(|| async { unless(self.dynamodb("DeleteItem", table, body.clone()).await, EXISTS) }).await?;
        if deleted.is_some() || self.row(table, key).await?.is_none() {
            return Ok(Undone::Deleted);
        }
        Ok(Undone::Changed("somebody changed it while it was being deleted".to_owned()))
    }
}

/// Whether two rows are equal. The order within a set has no meaning.
fn same(one: &Value, other: &Value) -> bool {
    sorted(one) == sorted(other)
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let of = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("SS" | "NS" | "BS", Value::Array(set)) => {
                    let mut set = set.clone();
                    set.sort_by_key(ToString::to_string);
                    (name.clone(), Value::Array(set))
                }
                _ => (name.clone(), sorted(value)),
            };
            Value::Object(map.iter().map(of).collect())
        }
        Value::Array(all) => Value::Array(all.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_whatever_the_order_of_a_set() {
        let row = |users: [&str; 2], visits: [&str; 2]| json!({"id": {"S": "a"}, "users": {"SS": users}, "visits": {"L": visits}});
        assert!(same(&row(["a", "b"], ["x", "y"]), &row(["b", "a"], ["x", "y"])));
        assert!(!same(&row(["a", "b"], ["x", "y"]), &row(["a", "b"], ["y", "x"])));
        assert!(!same(&row(["a", "b"], ["x", "y"]), &row(["a", "c"], ["x", "y"])));
    }
}
