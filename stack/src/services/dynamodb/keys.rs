//! Keys as DynamoDB checks them: of a table, of its indexes, and within a row.

use template::blueprint::{Attribute, AttributeType, Key, Table};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::conditions::kind_of;
use super::requests::Refusal;
use super::store::Place;
use super::values::{self, INVALID};

/// The most bytes of a partition key and of a sort key. Source: Amazon DynamoDB, quotas.
const LONGEST: [usize; 2] = [2048, 1024];

/// The attributes of a key.
pub fn attributes(key: &Key) -> impl Iterator<Item = &Attribute> {
    std::iter::once(&key.partition).chain(&key.sort)
}

/// `S`, `N` or `B`.
pub fn code(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::Text => "S",
        AttributeType::Number => "N",
        AttributeType::Binary => "B",
    }
}

/// The key within a row that is put.
///
/// # Errors
/// If the row has no valid key of the table, or an index's key in another type.
pub fn of_row(table: &Table, row: &Item) -> Result<Item, Refusal> {
    let mut key = Item::new();
    for attribute in attributes(&table.key) {
        let Attribute { name, kind } = attribute;
        match row.get(name) {
            None => return Err(Refusal::invalid(format!("{INVALID}: Missing the key {name} in the item"))),
            Some(value) if kind_of(value) != code(*kind) => {
                let (expected, actual) = (code(*kind), kind_of(value));
                return Err(Refusal::invalid(format!("{INVALID}: Type mismatch for key {name} expected: {expected} actual: {actual}")));
            }
            Some(value) => drop(key.insert(name.clone(), value.clone())),
        }
    }
    fits(&table.key, &key, None)?;
    for index in &table.indexes {
        for Attribute { name, kind } in attributes(&index.key) {
            if let Some(value) = row.get(name)
                && kind_of(value) != code(*kind)
            {
                let (expected, actual, index) = (code(*kind), kind_of(value), &index.name);
                return Err(Refusal::invalid(format!(
                    "{INVALID}: Type mismatch for Index Key {name} Expected: {expected} Actual: {actual} IndexName: {index}"
                )));
            }
        }
        fits(&index.key, row, Some(&index.name))?;
    }
    Ok(key)
}

/// A key of the table without any other attribute.
///
/// # Errors
/// If it is none.
pub fn whole(table: &Table, given: &Item) -> Result<Place, Refusal> {
    let count = attributes(&table.key).count();
    match Place::of(&table.key, given) {
        Some(place) if given.len() == count => fits(&table.key, given, None).map(|()| place),
        _ => Err(Refusal::invalid("The provided key element does not match the schema")),
    }
}

/// No key is empty or too long.
fn fits(key: &Key, row: &Item, index: Option<&str>) -> Result<(), Refusal> {
    for (n, (attribute, longest)) in attributes(key).zip(LONGEST).enumerate() {
        let Some(value) = row.get(&attribute.name) else { continue };
        let kind = if matches!(value, AttributeValue::B(_)) { "binary" } else { "string" };
        match values::size(value) {
            Some(0) => {
                let begins = "One or more parameter values are not valid.";
                let which = index.map_or_else(
                    || "The AttributeValue for a key attribute".to_owned(),
                    |name| format!("A value specified for a secondary index key is not supported. The AttributeValue for a key attribute of index {name}"),
                );
                return Err(Refusal::invalid(format!("{begins} {which} cannot contain an empty {kind} value. Key: {}", attribute.name)));
            }
            Some(size) if size > longest => {
                let what = match n {
                    0 => format!("Size of hashkey has exceeded the maximum size limit of{longest} bytes"),
                    _ => format!("Aggregated size of all range keys has exceeded the size limit of {longest} bytes"),
                };
                return Err(Refusal::invalid(format!("{INVALID}: {what}")));
            }
            _ => {}
        }
    }
    Ok(())
}
