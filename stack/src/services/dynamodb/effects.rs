//! What a write does to a row, for the rules that name its table.

use std::collections::BTreeMap;

use run_folder::Sightings;
use run_folder::effects::{Change, Effect, Place};
use serde_json::{Map, Value, json};
use template::blueprint::Key;
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::writes::Staged;
use super::{Writer, keys};

/// Tells of a write. A deletion of what was not there is not one, nor is a row that stays as it was: an SDK
/// repeats a write whose answer was lost. (A stream has no record of such a write either.)
pub(super) fn tell(sightings: &Sightings, key: &Key, write: &Staged, writer: Writer<'_>) {
    let change = match (&write.before, &write.after, writer) {
        (None, None, _) => return,
        (Some(before), Some(after), _) if before == after => return,
        (_, None, Writer::Expiry) => Change::Expired,
        (Some(_), None, _) => Change::Gone,
        (None, Some(_), _) => Change::Made,
        (Some(_), Some(_), _) => {
            if write.puts {
                Change::Made
            } else {
                Change::Changed
            }
        }
    };
    sightings.effect(
        || Place::Table(write.table.clone()),
        |place, attributes| {
            let of_key = keys::attributes(key).map(|attribute| &attribute.name);
            let row = write.after.as_ref().unwrap_or(&write.key);
            let fields: Map<_, _> = of_key.chain(attributes).filter_map(|name| Some((name.clone(), plain(row.get(name)?)))).collect();
            let root = if let Writer::Call(root) = writer { root.map(str::to_owned) } else { None };
            Effect { root, fields, ..Effect::new(place, id(&write.key), change) }
        },
    );
}

/// A key as text, the same for the same key.
fn id(key: &Item) -> String {
    let sorted: BTreeMap<_, _> = key.iter().map(|(name, value)| (name, plain(value))).collect();
    json!(sorted).to_string()
}

/// A typed value as plain JSON. A number that JSON cannot hold exactly stays a text.
fn plain(value: &AttributeValue) -> Value {
    let number = |text: &String| serde_json::from_str::<serde_json::Number>(text).map_or_else(|_| json!(text), Value::Number);
    match value {
        AttributeValue::S(text) | AttributeValue::B(text) => json!(text),
        AttributeValue::N(text) => number(text),
        AttributeValue::Bool(is) => json!(is),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::SS(set) | AttributeValue::BS(set) => json!(set),
        AttributeValue::NS(set) => set.iter().map(number).collect(),
        AttributeValue::L(list) => list.iter().map(plain).collect(),
        AttributeValue::M(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use run_folder::{Seen, Watch};
    use template::blueprint::Table;

    use super::super::{Call, Compressed, DynamoDb, Service};
    use super::*;

    #[tokio::test]
    async fn a_put_stores_a_row_and_an_update_of_it_does_not() {
        let mut watch = Watch::default();
        watch.add(Place::Table("Orders".into()), ["state".to_owned()]);
        let (sightings, mut seen) = Sightings::watching(watch);
        let tables = [Table::keyed("Orders", "id"), Table::keyed("Other", "id")];
        let rows = [("Orders".to_owned(), vec![json!({"id": {"S": "seeded"}})])].into();
        let tables = DynamoDb::start(&tables, &rows, Compressed::default(), sightings).unwrap();
        let key = json!({"id": {"S": "o-1"}});
        let item = json!({"id": {"S": "o-1"}, "state": {"S": "NEW"}, "more": {"N": "7"}});
        let update = |table: &str, key: &Value| {
            json!({"TableName": table, "Key": key, "UpdateExpression": "SET #s = :s", "ExpressionAttributeNames": {"#s": "state"},
                "ExpressionAttributeValues": {":s": {"S": "SHIPPED"}}})
        };
        for (operation, body) in [
            ("PutItem", json!({"TableName": "Orders", "Item": item})),
            ("PutItem", json!({"TableName": "Other", "Item": item})),
            ("PutItem", json!({"TableName": "Orders", "Item": item})),
            ("UpdateItem", update("Orders", &key)),
            ("UpdateItem", update("Orders", &key)),
            ("PutItem", json!({"TableName": "Orders", "Item": item})),
            ("UpdateItem", update("Orders", &json!({"id": {"S": "o-2"}}))),
            ("DeleteItem", json!({"TableName": "Orders", "Key": key})),
            ("DeleteItem", json!({"TableName": "Orders", "Key": key})),
        ] {
            let (root, body) = (Some("1-a-b".to_owned()), body.to_string().into());
            let call =
                Call { operation: operation.into(), request_id: "r".into(), root, path: "/".into(), function: None, delivery: 0, body };
            let answer = tables.answer(&call).await;
            assert_eq!(answer.status, 200, "{operation}: {answer:?}");
        }
        let told = std::iter::from_fn(|| seen.try_recv().ok());
        let effects = told.filter_map(|sighting| if let Seen::Effect(effect) = sighting.seen { Some(effect) } else { None });
        let effects: Vec<_> = effects.map(|effect| (effect.change, effect.id, Value::Object(effect.fields), effect.root)).collect();
        let (first, second) = (r#"{"id":"o-1"}"#, r#"{"id":"o-2"}"#);
        let expected = [
            (Change::Made, first, json!({"id": "o-1", "state": "NEW"})),
            (Change::Changed, first, json!({"id": "o-1", "state": "SHIPPED"})),
            (Change::Made, first, json!({"id": "o-1", "state": "NEW"})),
            (Change::Made, second, json!({"id": "o-2", "state": "SHIPPED"})),
            (Change::Gone, first, json!({"id": "o-1"})),
        ];
        assert_eq!(effects, expected.map(|(change, id, fields)| (change, id.to_owned(), fields, Some("1-a-b".to_owned()))));
    }
}
