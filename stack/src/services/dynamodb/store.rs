//! Tables in memory: their rows, and those of their indexes, in the order in which DynamoDB reads
//! them. It checks nothing.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Bound;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use template::blueprint::{AttributeType, Index, Key, Table};
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::decimal::Decimal;
use super::values;

/// A key's value: texts and bytes in the order of their bytes, numbers in their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Scalar {
    Text(String),
    Number(Decimal),
    Binary(Vec<u8>),
}

/// A sort key, or an end of a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    /// Before every other one; no row has it.
    Begin,
    /// The only one if the key has no sort key.
    None,
    Of(Scalar),
    /// Behind every other one; no row has it.
    End,
}

/// Where a row is in a table or an index. Partitions are in the order of their hashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    hash: u64,
    partition: Scalar,
    sort: Sort,
}

/// Where a row is; in an index several rows may have the same key, which the table's own tells
/// apart.
pub type At = (Place, Option<Place>);

/// Rows in their order.
pub type Sorted = BTreeMap<At, Arc<Item>>;

impl Scalar {
    fn of(value: &AttributeValue, kind: AttributeType) -> Option<Self> {
        match (value, kind) {
            (AttributeValue::S(text), AttributeType::Text) => Some(Self::Text(text.clone())),
            (AttributeValue::N(text), AttributeType::Number) => Some(Self::Number(Decimal::read(text).ok()?)),
            (AttributeValue::B(text), AttributeType::Binary) => Some(Self::Binary(STANDARD.decode(text).ok()?)),
            _ => None,
        }
    }
}

impl Place {
    /// `None` if the row does not have the key, or not in its type.
    pub fn of(key: &Key, row: &Item) -> Option<Self> {
        let value = |name: &str, kind| Scalar::of(row.get(name)?, kind);
        let partition = value(&key.partition.name, key.partition.kind)?;
        let sort = match &key.sort {
            None => Sort::None,
            Some(sort) => Sort::Of(value(&sort.name, sort.kind)?),
        };
        Some(Self { hash: hash(row.get(&key.partition.name)?), partition, sort })
    }

    /// The bounds of the partition in which all rows have this partition key.
    pub fn partition(key: &Key, value: &AttributeValue) -> Option<(At, At)> {
        let partition = Scalar::of(value, key.partition.kind)?;
        let end = |sort| (Self { hash: hash(value), partition: partition.clone(), sort }, None);
        Some((end(Sort::Begin), end(Sort::End)))
    }

    /// In which of `total` segments of a parallel scan it is, from 0.
    pub fn segment(&self, total: u64) -> u64 {
        self.hash % total.max(1)
    }
}

/// Always the same for the same value. At AWS it is not told how partition keys are hashed.
fn hash(value: &AttributeValue) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) | AttributeValue::B(text) => text.hash(&mut hasher),
        _ => {}
    }
    hasher.finish()
}

/// A table with its rows.
pub struct Shelf {
    /// As it was declared or created.
    pub table: Table,
    /// When it was created.
    pub created: SystemTime,
    rows: Sorted,
    /// Those of its indexes, in the order of the declaration.
    indexes: Vec<Sorted>,
    bytes: usize,
}

impl Shelf {
    /// An empty table.
    pub fn new(table: Table) -> Self {
        let indexes = table.indexes.iter().map(|_| Sorted::new()).collect();
        Self { table, created: SystemTime::now(), rows: Sorted::new(), indexes, bytes: 0 }
    }

    /// The row at a place.
    pub fn row(&self, place: &Place) -> Option<&Arc<Item>> {
        self.rows.get(&(place.clone(), None))
    }

    /// Puts a row there or, with `None`, deletes it.
    pub fn put(&mut self, place: Place, row: Option<Item>) {
        let row = row.map(Arc::new);
        self.bytes += row.as_ref().map_or(0, |row| values::bytes(row));
        let before = match &row {
            Some(row) => self.rows.insert((place.clone(), None), Arc::clone(row)),
            None => self.rows.remove(&(place.clone(), None)),
        };
        self.bytes -= before.as_ref().map_or(0, |before| values::bytes(before));
        for (index, sorted) in self.table.indexes.iter().zip(&mut self.indexes) {
            let at = |row: &Item| Some((Place::of(&index.key, row)?, Some(place.clone())));
            if let Some(at) = before.as_ref().and_then(|before| at(before)) {
                sorted.remove(&at);
            }
            if let Some((at, row)) = row.as_ref().and_then(|row| Some((at(row)?, row))) {
                sorted.insert(at, Arc::clone(row));
            }
        }
    }

    /// All rows.
    pub fn all(&self) -> &Sorted {
        &self.rows
    }

    /// The rows of an index.
    pub fn index(&self, name: &str) -> Option<(&Index, &Sorted)> {
        self.table.indexes.iter().zip(&self.indexes).find(|(index, _)| index.name == name)
    }

    /// How many rows, and how many bytes they have.
    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.bytes)
    }
}

/// The rows between two places, both excluded, forwards or backwards.
pub fn between<'a>(
    rows: &'a Sorted,
    from: Option<&At>,
    to: Option<&At>,
    forward: bool,
) -> Box<dyn Iterator<Item = (&'a At, &'a Arc<Item>)> + 'a> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Box::new(std::iter::empty());
    }
    let bound = |at: Option<&At>| at.cloned().map_or(Bound::Unbounded, Bound::Excluded);
    let range = rows.range((bound(from), bound(to)));
    if forward { Box::new(range) } else { Box::new(range.rev()) }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};
    use template::blueprint::Attribute;

    use super::*;

    #[test]
    fn rows_are_in_the_order_of_their_sort_keys_and_indexes_hold_only_rows_that_have_their_key() {
        let attribute = |name: &str, kind| Attribute { name: name.into(), kind };
        let key = |partition: &str, sort: &str| Key {
            partition: attribute(partition, AttributeType::Text),
            sort: Some(attribute(sort, AttributeType::Number)),
        };
        let index = Index { name: "by-city".into(), key: key("city", "n"), local: false, projected: None };
        let mut shelf = Shelf::new(Table { key: key("id", "n"), indexes: vec![index], ..Table::keyed("T", "id") });
        let row =
            |n: &str, city: serde_json::Value| -> Item { from_value(json!({"id": {"S": "a"}, "n": {"N": n}, "city": city})).unwrap() };
        for (n, city) in [("10", json!({"S": "x"})), ("9", json!({"S": "x"})), ("-1", json!({"N": "1"})), ("0.5", json!({"S": "y"}))] {
            let row = row(n, city);
            shelf.put(Place::of(&shelf.table.key, &row).unwrap(), Some(row));
        }
        let numbers = |rows: &Sorted, forward| -> Vec<String> {
            between(rows, None, None, forward).map(|(_, row)| format!("{:?}", row["n"])).collect()
        };
        assert_eq!(numbers(shelf.all(), true), ["N(\"-1\")", "N(\"0.5\")", "N(\"9\")", "N(\"10\")"]);
        assert_eq!(numbers(shelf.all(), false).first().map(String::as_str), Some("N(\"10\")"));
        assert_eq!(shelf.index("by-city").unwrap().1.len(), 3);
        let moved = row("9", json!({"S": "z"}));
        shelf.put(Place::of(&shelf.table.key, &moved).unwrap(), Some(moved.clone()));
        let (from, to) = Place::partition(&key("city", "n"), &AttributeValue::S("x".into())).unwrap();
        assert_eq!(between(shelf.index("by-city").unwrap().1, Some(&from), Some(&to), true).count(), 1);
        shelf.put(Place::of(&shelf.table.key, &moved).unwrap(), None);
        assert_eq!((shelf.size().0, shelf.index("by-city").unwrap().1.len()), (3, 2));
        assert_eq!(shelf.size().1, shelf.all().values().map(|row| values::bytes(row)).sum::<usize>());
    }
}
