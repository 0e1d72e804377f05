//! The tables on the page, with their rows in plain JSON.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use winterbaume_dynamodb::Item;

use super::DynamoDb;
use super::keys::attributes;
use crate::services::shows::{Part, Rows, Shows, Thing};

impl Shows for DynamoDb {
    fn things(&self) -> Vec<Thing> {
        let state = self.read();
        let table = |shelf: &super::store::Shelf| {
            let keys: Vec<_> = attributes(&shelf.table.key).map(|key| key.name.as_str()).collect();
            Thing { note: format!("key {}", keys.join(", ")), ..Thing::new("table", shelf.table.name.clone(), shelf.size().0) }
        };
        state.tables.all().map(table).collect()
    }

    fn rows(&self, table: &str, part: Part) -> Option<Rows> {
        let state = self.read();
        let shelf = state.tables.shelf(table).ok()?;
        let names: Vec<_> = attributes(&shelf.table.key).map(|key| key.name.clone()).collect();
        Some(Rows::of(["Key", "Row"], shelf.all().values(), part, |item: &Arc<Item>| {
            let row: Map<String, Value> = plain(json!({"M": &**item})).as_object().cloned().unwrap_or_default();
            let key: Vec<_> = names.iter().filter_map(|name| row.get(name)).map(text).collect();
            [key.join(" / ").into(), Value::Object(row).to_string().into()]
        }))
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A typed value as people write it. A number that JSON cannot hold exactly stays a text.
fn plain(value: Value) -> Value {
    let Value::Object(typed) = value else { return value };
    let Some((kind, value)) = typed.into_iter().next() else { return Value::Null };
    match (kind.as_str(), value) {
        ("NULL", _) => Value::Null,
        ("N", Value::String(number)) => match serde_json::from_str::<Value>(&number) {
            Ok(read) if number == format!("{read}") => read,
            _ => Value::String(number),
        },
        ("L", Value::Array(list)) => list.into_iter().map(plain).collect(),
        ("M", Value::Object(fields)) => Value::Object(fields.into_iter().map(|(name, value)| (name, plain(value))).collect()),
        (_, value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_become_plain_ones() {
        let typed = json!({"M": {
            "s": {"S": "<b>"}, "n": {"N": "1.5"}, "big": {"N": "12345678901234567890123"}, "no": {"NULL": true}, "yes": {"BOOL": true},
            "l": {"L": [{"N": "1"}, {"S": "x"}]}, "set": {"SS": ["a", "b"]},
        }});
        let expected =
            json!({"s": "<b>", "n": 1.5, "big": "12345678901234567890123", "no": null, "yes": true, "l": [1, "x"], "set": ["a", "b"]});
        assert_eq!(plain(typed), expected);
    }
}
