//! Typed values as DynamoDB accepts, compares and measures them. It knows no table.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use super::decimal::Decimal;

/// How most refusals of a value begin.
pub const INVALID: &str = "One or more parameter values were invalid";

/// The order of two values; `None` if they have none. Only text, numbers and bytes have an order.
pub fn compare(a: &AttributeValue, b: &AttributeValue) -> Option<Ordering> {
    match (a, b) {
        (AttributeValue::S(a), AttributeValue::S(b)) => Some(a.cmp(b)),
        (AttributeValue::N(a), AttributeValue::N(b)) => Some(Decimal::read(a).ok()?.cmp(&Decimal::read(b).ok()?)),
        (AttributeValue::B(a), AttributeValue::B(b)) => Some(STANDARD.decode(a).ok()?.cmp(&STANDARD.decode(b).ok()?)),
        _ => None,
    }
}

/// Whether two values are equal: sets in any order, numbers in any notation.
pub fn equal(a: &AttributeValue, b: &AttributeValue) -> bool {
    let sets = |a: &[String], b: &[String]| a.iter().collect::<BTreeSet<_>>() == b.iter().collect::<BTreeSet<_>>();
    match (a, b) {
        (AttributeValue::Bool(a), AttributeValue::Bool(b)) => a == b,
        (AttributeValue::Null(_), AttributeValue::Null(_)) => true,
        (AttributeValue::SS(a), AttributeValue::SS(b)) | (AttributeValue::BS(a), AttributeValue::BS(b)) => sets(a, b),
        (AttributeValue::NS(a), AttributeValue::NS(b)) => {
            let number = |text: &String| AttributeValue::N(text.clone());
            a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| equal(&number(a), &number(b))))
        }
        (AttributeValue::L(a), AttributeValue::L(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (AttributeValue::M(a), AttributeValue::M(b)) => same(a, b),
        _ => compare(a, b) == Some(Ordering::Equal),
    }
}

/// Whether two rows are the same.
pub fn same(a: &Item, b: &Item) -> bool {
    a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
}

/// The result of `size()`; `None` for values without a size.
pub fn size(value: &AttributeValue) -> Option<usize> {
    match value {
        AttributeValue::S(text) => Some(text.len()),
        AttributeValue::B(bytes) => Some(STANDARD.decode(bytes).ok()?.len()),
        AttributeValue::SS(set) | AttributeValue::NS(set) | AttributeValue::BS(set) => Some(set.len()),
        AttributeValue::L(list) => Some(list.len()),
        AttributeValue::M(map) => Some(map.len()),
        AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null(_) => None,
    }
}

/// A row's size in bytes, names included. Source: Amazon DynamoDB, item sizes and formats.
pub fn bytes(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + bytes_of(value)).sum()
}

fn bytes_of(value: &AttributeValue) -> usize {
    let number = |text: &str| Decimal::read(text).map_or(1, |number| number.significant().div_ceil(2) + 1);
    let binary = |text: &str| STANDARD.decode(text).map_or(0, |bytes| bytes.len());
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(text) => number(text),
        AttributeValue::B(text) => binary(text),
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
        AttributeValue::SS(set) => set.iter().map(String::len).sum(),
        AttributeValue::NS(set) => set.iter().map(|text| number(text)).sum(),
        AttributeValue::BS(set) => set.iter().map(|text| binary(text)).sum(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + bytes_of(value)).sum::<usize>(),
        AttributeValue::M(map) => 3 + map.len() + bytes(map),
    }
}

/// A value as DynamoDB stores it: numbers without an exponent and without needless zeros.
///
/// # Errors
/// DynamoDB's message, if it refuses the value.
pub fn accepted(value: AttributeValue) -> Result<AttributeValue, String> {
    let number = |text: String| Decimal::read(&text).map(|number| number.plain());
    let binary = |text: String| match STANDARD.decode(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(format!("{INVALID}: a binary value is not in base64")),
    };
    Ok(match value {
        AttributeValue::N(text) => AttributeValue::N(number(text)?),
        AttributeValue::B(text) => AttributeValue::B(binary(text)?),
        AttributeValue::SS(all) => AttributeValue::SS(set(all, "string")?),
        AttributeValue::NS(all) => AttributeValue::NS(set(all.into_iter().map(number).collect::<Result<_, _>>()?, "number")?),
        AttributeValue::BS(all) => AttributeValue::BS(set(all.into_iter().map(binary).collect::<Result<_, _>>()?, "binary")?),
        AttributeValue::L(list) => AttributeValue::L(list.into_iter().map(accepted).collect::<Result<_, _>>()?),
        AttributeValue::M(map) => AttributeValue::M(row(map)?),
        AttributeValue::Null(false) => return Err(format!("{INVALID}: Null attribute value types must have the value of true")),
        AttributeValue::S(_) | AttributeValue::Bool(_) | AttributeValue::Null(true) => value,
    })
}

/// A row, or another map, as DynamoDB stores it.
///
/// # Errors
/// DynamoDB's message, if it refuses a value.
pub fn row(row: Item) -> Result<Item, String> {
    row.into_iter().map(|(name, value)| Ok((name, accepted(value)?))).collect()
}

fn set(all: Vec<String>, kind: &str) -> Result<Vec<String>, String> {
    if all.is_empty() {
        return Err(format!("{INVALID}: An {kind} set  may not be empty"));
    }
    if all.iter().collect::<BTreeSet<_>>().len() < all.len() {
        return Err(format!("{INVALID}: Input collection [{}] contains duplicates.", all.join(", ")));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(json: Value) -> AttributeValue {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn numbers_are_compared_exactly_and_other_types_by_their_own_order() {
        for (a, b, order) in [
            (json!({"N": "9"}), json!({"N": "10"}), Some(Ordering::Less)),
            (json!({"N": "1.50"}), json!({"N": "15e-1"}), Some(Ordering::Equal)),
            (json!({"N": "-0"}), json!({"N": "0.000"}), Some(Ordering::Equal)),
            (json!({"N": "-2"}), json!({"N": "-1"}), Some(Ordering::Less)),
            (json!({"N": "-5"}), json!({"N": "0"}), Some(Ordering::Less)),
            (json!({"N": "0"}), json!({"N": "0.001"}), Some(Ordering::Less)),
            (json!({"N": "9007199254740992"}), json!({"N": "9007199254740993"}), Some(Ordering::Less)),
            (json!({"S": "10"}), json!({"S": "9"}), Some(Ordering::Less)),
            (json!({"S": "1"}), json!({"N": "1"}), None),
            (json!({"BOOL": false}), json!({"BOOL": true}), None),
        ] {
            assert_eq!(compare(&value(a.clone()), &value(b.clone())), order, "{a} {b}");
        }
    }

    #[test]
    fn sets_are_the_same_in_any_order_and_lists_are_not() {
        for (a, b, same) in [
            (json!({"SS": ["a", "b"]}), json!({"SS": ["b", "a"]}), true),
            (json!({"SS": ["a"]}), json!({"SS": ["a", "b"]}), false),
            (json!({"NS": ["1", "2.0"]}), json!({"NS": ["2", "1"]}), true),
            (json!({"L": [{"S": "a"}, {"S": "b"}]}), json!({"L": [{"S": "b"}, {"S": "a"}]}), false),
            (json!({"M": {"a": {"N": "1"}}}), json!({"M": {"a": {"N": "1.0"}}}), true),
            (json!({"NULL": true}), json!({"BOOL": true}), false),
        ] {
            assert_eq!(equal(&value(a.clone()), &value(b.clone())), same, "{a} {b}");
        }
    }

    #[test]
    fn values_that_dynamodb_refuses_are_reported() {
        for (json, fine) in [
            (json!({"N": "12"}), true),
            (json!({"N": "-1.5E+3"}), true),
            (json!({"N": "twelve"}), false),
            (json!({"N": ""}), false),
            (json!({"N": "1e200"}), false),
            (json!({"N": "123456789012345678901234567890123456789"}), false),
            (json!({"SS": []}), false),
            (json!({"SS": ["a", "a"]}), false),
            (json!({"B": "%"}), false),
            (json!({"M": {"a": {"L": [{"N": "x"}]}}}), false),
            (json!({"NS": ["1", "1.0"]}), false),
            (json!({"NULL": false}), false),
            (json!({"S": ""}), true),
        ] {
            assert_eq!(accepted(value(json.clone())).is_ok(), fine, "{json}");
        }
    }

    #[test]
    fn sizes_are_those_that_dynamodb_counts() {
        let item: Item =
            serde_json::from_value(json!({"id": {"S": "abc"}, "n": {"N": "1234"}, "b": {"B": "AAAA"}, "t": {"BOOL": true}})).unwrap();
        assert_eq!(bytes(&item), 2 + 3 + 1 + 3 + 1 + 3 + 1 + 1);
        assert_eq!(size(&value(json!({"B": "AAAA"}))), Some(3));
        assert_eq!(size(&value(json!({"N": "12"}))), None);
    }
}
