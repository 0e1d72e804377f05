//! Conditions on writes and filters of reads: parsed by the crate, evaluated here. The crate (0.3.0) compares numbers as
//! floats, never compares sets and bytes, and evaluates `<>` with a missing attribute to false,
//! where DynamoDB evaluates it to true.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::{CompOp, Expr, Operand};
use winterbaume_dynamodb::types::AttributeValue;

use super::paths::at;
use super::values::{compare, equal, size};

/// Whether the condition holds for a row; a missing row is empty.
pub fn holds(condition: &Expr, row: &Item) -> bool {
    match condition {
        Expr::And(a, b) => holds(a, row) && holds(b, row),
        Expr::Or(a, b) => holds(a, row) || holds(b, row),
        Expr::Not(it) => !holds(it, row),
        Expr::Comparison(a, operator, b) => compared(resolve(a, row).as_ref(), *operator, resolve(b, row).as_ref()),
        Expr::Between(it, low, high) => {
            let it = resolve(it, row);
            compared(it.as_ref(), CompOp::Ge, resolve(low, row).as_ref()) && compared(it.as_ref(), CompOp::Le, resolve(high, row).as_ref())
        }
        Expr::In(it, all) => {
            let it = resolve(it, row);
            all.iter().any(|other| compared(it.as_ref(), CompOp::Eq, resolve(other, row).as_ref()))
        }
        Expr::AttributeExists(path) => at(row, path).is_some(),
        Expr::AttributeNotExists(path) => at(row, path).is_none(),
        Expr::AttributeType(path, kind) => {
            matches!((at(row, path), resolve(kind, row)), (Some(value), Some(AttributeValue::S(kind))) if kind_of(value) == kind)
        }
        Expr::Contains(path, part) => at(row, path).zip(resolve(part, row)).is_some_and(|(whole, part)| contains(whole, &part)),
        Expr::BeginsWith(path, start) => at(row, path).zip(resolve(start, row)).is_some_and(|(whole, start)| begins_with(whole, &start)),
    }
}

fn resolve(operand: &Operand, row: &Item) -> Option<AttributeValue> {
    match operand {
        Operand::Path(path) => at(row, path).cloned(),
        Operand::Value(value) => Some(value.clone()),
        Operand::Size(path) => Some(AttributeValue::N(size(at(row, path)?)?.to_string())),
    }
}

fn compared(a: Option<&AttributeValue>, operator: CompOp, b: Option<&AttributeValue>) -> bool {
    let alike = a.zip(b).is_some_and(|(a, b)| equal(a, b));
    let order = a.zip(b).and_then(|(a, b)| compare(a, b));
    match operator {
        CompOp::Eq => alike,
        // True also for a missing value and for another type.
        CompOp::Ne => !alike,
        CompOp::Lt => order == Some(Ordering::Less),
        CompOp::Le => order.is_some_and(Ordering::is_le),
        CompOp::Gt => order == Some(Ordering::Greater),
        CompOp::Ge => order.is_some_and(Ordering::is_ge),
    }
}

fn contains(whole: &AttributeValue, part: &AttributeValue) -> bool {
    let any = |set: &[String], kind: fn(String) -> AttributeValue| set.iter().any(|member| equal(&kind(member.clone()), part));
    match (whole, part) {
        (AttributeValue::S(whole), AttributeValue::S(part)) => whole.contains(part.as_str()),
        (AttributeValue::B(whole), AttributeValue::B(part)) => match (STANDARD.decode(whole), STANDARD.decode(part)) {
            (Ok(whole), Ok(part)) => part.is_empty() || whole.windows(part.len()).any(|window| window == part),
            _ => false,
        },
        (AttributeValue::SS(set), _) => any(set, AttributeValue::S),
        (AttributeValue::NS(set), _) => any(set, AttributeValue::N),
        (AttributeValue::BS(set), _) => any(set, AttributeValue::B),
        (AttributeValue::L(list), _) => list.iter().any(|member| equal(member, part)),
        _ => false,
    }
}

fn begins_with(whole: &AttributeValue, start: &AttributeValue) -> bool {
    match (whole, start) {
        (AttributeValue::S(whole), AttributeValue::S(start)) => whole.starts_with(start.as_str()),
        (AttributeValue::B(whole), AttributeValue::B(start)) => match (STANDARD.decode(whole), STANDARD.decode(start)) {
            (Ok(whole), Ok(start)) => whole.starts_with(&start),
            _ => false,
        },
        _ => false,
    }
}

/// The name of a value's type, as in `attribute_type`.
pub fn kind_of(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::B(_) => "B",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Null(_) => "NULL",
        AttributeValue::SS(_) => "SS",
        AttributeValue::NS(_) => "NS",
        AttributeValue::BS(_) => "BS",
        AttributeValue::L(_) => "L",
        AttributeValue::M(_) => "M",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{from_value, json};
    use winterbaume_dynamodb::expr::parse_expression;

    use super::*;

    #[test]
    fn conditions_are_evaluated_as_in_dynamodb() {
        let row: Item = from_value(json!({
            "id": {"S": "a"}, "count": {"N": "25"}, "big": {"N": "9007199254740993"}, "ts": {"S": "2024-05-01T00:00:00Z"},
            "tags": {"SS": ["x", "y"]}, "in": {"M": {"deep": {"L": [{"N": "1"}]}}}, "raw": {"B": "AAEC"},
        }))
        .unwrap();
        let none = Item::new();
        let names: HashMap<String, String> = [("#c", "count"), ("#ts", "ts"), ("#in", "in")].map(|(k, v)| (k.into(), v.into())).into();
        let values: HashMap<String, AttributeValue> = from_value(json!({
            ":n": {"N": "25"}, ":more": {"N": "26"}, ":near": {"N": "9007199254740992"}, ":x": {"S": "x"}, ":xy": {"SS": ["y", "x"]},
            ":old": {"S": "2024-04-30T00:00:00Z"}, ":new": {"S": "2024-06-01T00:00:00Z"}, ":one": {"N": "1.0"}, ":ss": {"S": "SS"}, ":b": {"B": "AAE="},
        }))
        .unwrap();
        // The condition, its result for the row, its result for a missing row.
        for (condition, of_row, of_none) in [
            ("#c < :n", false, false),
            ("#c < :more", true, false),
            ("#c <= :n AND #c >= :n", true, false),
            ("attribute_not_exists(id) OR #c < :n", false, true),
            ("attribute_not_exists(#ts) OR #ts < :new", true, true),
            ("attribute_not_exists(#ts) OR #ts < :old", false, true),
            ("attribute_not_exists(id) OR #c < :n AND #c > :n", false, true),
            ("(attribute_exists(id) OR #c < :n) AND #c > :n", false, false),
            ("NOT #c = :n", false, true),
            ("#c <> :n", false, true),
            ("#c <> :x", true, true),
            ("big > :near", true, false),
            ("tags = :xy", true, false),
            ("contains(tags, :x)", true, false),
            ("attribute_type(tags, :ss)", true, false),
            ("#in.deep[0] = :one", true, false),
            ("attribute_exists(#in.deep[1])", false, false),
            ("#c BETWEEN :n AND :more", true, false),
            ("#c IN (:more, :n)", true, false),
            ("size(tags) > :one", true, false),
            ("begins_with(raw, :b) AND contains(raw, :b)", true, false),
            ("id < :n", false, false),
        ] {
            let read = parse_expression(condition, &names, &values).unwrap();
            assert_eq!((holds(&read, &row), holds(&read, &none)), (of_row, of_none), "{condition}");
        }
    }
}
