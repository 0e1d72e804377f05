//! What an update makes of a row: parsed by the crate, applied here, because the crate (0.3.0)
//! calculates with floats.

use std::cmp::Reverse;

use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::{AttributeValue, PathSegment, SetOperand, UpdateAction, render_path};

use super::conditions::kind_of;
use super::decimal::Decimal;
use super::paths::{Path, at, overlapping};
use super::values::INVALID;

const NO_SUCH_PATH: &str = "The document path provided in the update expression is invalid for update";

/// The row after the update; `before` is the row before it, or only the key if the row does not
/// exist. `keys` are the names of the key's attributes.
///
/// # Errors
/// What is wrong with it, as the text of a `ValidationException`.
pub fn applied(actions: &[UpdateAction], before: &Item, keys: &[&str]) -> Result<Item, String> {
    let paths = touched(actions);
    let of_key = paths.iter().filter_map(|path| path.first()?.as_attr()).find(|name| keys.contains(name));
    if let Some(name) = of_key {
        return Err(format!("{INVALID}: Cannot update attribute {name}. This attribute is part of the key"));
    }
    if let Some((one, other)) = overlapping(&paths) {
        let (one, other) = (render_path(one), render_path(other));
        return Err(format!(
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; \
             path one: [{one}], path two: [{other}]"
        ));
    }
    // Everything is calculated from the row before the update, whatever the order.
    let mut after = before.clone();
    for action in actions {
        match action {
            UpdateAction::Set { path, value } => put(&mut after, path, calculated(value, before)?)?,
            UpdateAction::Add(name, by) => {
                let sum = added(before.get(name), by)?;
                after.insert(name.clone(), sum);
            }
            UpdateAction::Delete(name, gone) => match without(before.get(name), gone)? {
                Some(rest) => drop(after.insert(name.clone(), rest)),
                None => drop(after.remove(name)),
            },
            UpdateAction::Remove(_) => {}
        }
    }
    let mut removed: Vec<&Path> =
        actions.iter().filter_map(|it| if let UpdateAction::Remove(path) = it { Some(path) } else { None }).collect();
    // The last element of a list first, so that the numbers of the others stay.
    removed.sort_by_key(|path| Reverse(if let Some(PathSegment::Index(n)) = path.last() { *n } else { 0 }));
    removed.into_iter().try_for_each(|path| remove(&mut after, path))?;
    Ok(after)
}

/// The paths that an update changes.
pub fn touched(actions: &[UpdateAction]) -> Vec<Path> {
    let path = |action: &UpdateAction| match action {
        UpdateAction::Set { path, .. } | UpdateAction::Remove(path) => path.clone(),
        UpdateAction::Add(name, _) | UpdateAction::Delete(name, _) => vec![PathSegment::Attr(name.clone())],
    };
    actions.iter().map(path).collect()
}

/// The map or list that holds the last segment.
fn holder<'a>(row: &'a mut Item, path: &[PathSegment]) -> Option<&'a mut AttributeValue> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(row.get_mut(first.as_attr()?)?, |within, segment| match (within, segment) {
        (AttributeValue::M(map), PathSegment::Attr(name)) => map.get_mut(name),
        (AttributeValue::L(list), PathSegment::Index(n)) => list.get_mut(*n),
        _ => None,
    })
}

fn put(row: &mut Item, path: &[PathSegment], value: AttributeValue) -> Result<(), String> {
    let (last, before) = path.split_last().ok_or(NO_SUCH_PATH)?;
    match (before.is_empty(), last) {
        (true, PathSegment::Attr(name)) => drop(row.insert(name.clone(), value)),
        _ => match (holder(row, before), last) {
            (Some(AttributeValue::M(map)), PathSegment::Attr(name)) => drop(map.insert(name.clone(), value)),
            (Some(AttributeValue::L(list)), PathSegment::Index(n)) => match list.get_mut(*n) {
                Some(element) => *element = value,
                None => list.push(value),
            },
            _ => return Err(NO_SUCH_PATH.to_owned()),
        },
    }
    Ok(())
}

fn remove(row: &mut Item, path: &[PathSegment]) -> Result<(), String> {
    let (last, before) = path.split_last().ok_or(NO_SUCH_PATH)?;
    match (before.is_empty(), last) {
        (true, PathSegment::Attr(name)) => drop(row.remove(name)),
        _ => match (holder(row, before), last) {
            (Some(AttributeValue::M(map)), PathSegment::Attr(name)) => drop(map.remove(name)),
            (Some(AttributeValue::L(list)), PathSegment::Index(n)) if *n < list.len() => drop(list.remove(*n)),
            (Some(AttributeValue::L(_)), PathSegment::Index(_)) => {}
            _ => return Err(NO_SUCH_PATH.to_owned()),
        },
    }
    Ok(())
}

fn calculated(operand: &SetOperand, row: &Item) -> Result<AttributeValue, String> {
    match operand {
        SetOperand::Value(value) => Ok(value.clone()),
        SetOperand::Path(path) => at(row, path)
            .cloned()
            .ok_or_else(|| "The provided expression refers to an attribute that does not exist in the item".to_owned()),
        SetOperand::IfNotExists(path, other) => at(row, path).cloned().map_or_else(|| calculated(other, row), Ok),
        SetOperand::Plus(a, b) => number(&calculated(a, row)?)?.plus(&number(&calculated(b, row)?)?).map(written),
        SetOperand::Minus(a, b) => number(&calculated(a, row)?)?.plus(&number(&calculated(b, row)?)?.negated()).map(written),
        SetOperand::ListAppend(a, b) => match (calculated(a, row)?, calculated(b, row)?) {
            (AttributeValue::L(a), AttributeValue::L(b)) => Ok(AttributeValue::L(a.into_iter().chain(b).collect())),
            (AttributeValue::L(_), other) | (other, _) => Err(wrong_type("list_append", &other)),
        },
    }
}

fn wrong_type(function: &str, value: &AttributeValue) -> String {
    let kind = kind_of(value);
    format!(
        "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: {function}, operand type: {kind}"
    )
}

fn number(value: &AttributeValue) -> Result<Decimal, String> {
    match value {
        AttributeValue::N(text) => Decimal::read(text),
        _ => Err("An operand in the update expression has an incorrect data type".to_owned()),
    }
}

fn written(number: Decimal) -> AttributeValue {
    AttributeValue::N(number.plain())
}

/// `ADD`: a sum, or a set with more members.
fn added(before: Option<&AttributeValue>, by: &AttributeValue) -> Result<AttributeValue, String> {
    let union = |a: &[String], b: &[String]| a.iter().chain(b.iter().filter(|it| !a.contains(it))).cloned().collect();
    match (before, by) {
        (None, AttributeValue::N(_) | AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_)) => Ok(by.clone()),
        (Some(before @ AttributeValue::N(_)), AttributeValue::N(_)) => number(before)?.plus(&number(by)?).map(written),
        (Some(AttributeValue::SS(a)), AttributeValue::SS(b)) => Ok(AttributeValue::SS(union(a, b))),
        (Some(AttributeValue::NS(a)), AttributeValue::NS(b)) => Ok(AttributeValue::NS(union(a, b))),
        (Some(AttributeValue::BS(a)), AttributeValue::BS(b)) => Ok(AttributeValue::BS(union(a, b))),
        (_, AttributeValue::N(_) | AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_)) => {
            Err("An operand in the update expression has an incorrect data type".to_owned())
        }
        (_, other) => Err(wrong_type("ADD", other)),
    }
}

/// `DELETE`: the set with fewer members; `None` if none is left.
fn without(before: Option<&AttributeValue>, gone: &AttributeValue) -> Result<Option<AttributeValue>, String> {
    let rest = |a: &[String], b: &[String], kind: fn(Vec<String>) -> AttributeValue| {
        let rest: Vec<String> = a.iter().filter(|it| !b.contains(it)).cloned().collect();
        (!rest.is_empty()).then(|| kind(rest))
    };
    match (before, gone) {
        (None, AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_)) => Ok(None),
        (Some(AttributeValue::SS(a)), AttributeValue::SS(b)) => Ok(rest(a, b, AttributeValue::SS)),
        (Some(AttributeValue::NS(a)), AttributeValue::NS(b)) => Ok(rest(a, b, AttributeValue::NS)),
        (Some(AttributeValue::BS(a)), AttributeValue::BS(b)) => Ok(rest(a, b, AttributeValue::BS)),
        (_, AttributeValue::SS(_) | AttributeValue::NS(_) | AttributeValue::BS(_)) => {
            Err("An operand in the update expression has an incorrect data type".to_owned())
        }
        (_, other) => Err(wrong_type("DELETE", other)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, from_value, json};
    use winterbaume_dynamodb::expr::parse_update_expression;

    use super::*;

    fn update(expression: &str) -> Result<Value, String> {
        let before: Item = from_value(json!({
            "id": {"S": "a"}, "n": {"N": "1"}, "half": {"N": "0.5"}, "m": {"M": {"k": {"N": "2"}}},
            "l": {"L": [{"S": "0"}, {"S": "1"}, {"S": "2"}]}, "set": {"SS": ["x", "y"]},
        }))
        .unwrap();
        let values: HashMap<String, AttributeValue> = from_value(json!({
            ":one": {"N": "1"}, ":part": {"N": "0.1"}, ":s": {"S": "s"}, ":l": {"L": [{"S": "3"}]}, ":x": {"SS": ["x"]}, ":all": {"SS": ["x", "y"]},
        }))
        .unwrap();
        let actions = parse_update_expression(expression, &HashMap::new(), &values).unwrap();
        applied(&actions, &before, &["id"]).map(|after| json!(after))
    }

    #[test]
    fn an_update_has_the_result_of_dynamodb() {
        let list = |all: &[&str]| json!({"L": all.iter().map(|it| json!({"S": it})).collect::<Vec<_>>()});
        for (expression, attribute, made) in [
            ("ADD n :one", "n", Some(json!({"N": "2"}))),
            ("ADD fresh :one", "fresh", Some(json!({"N": "1"}))),
            ("ADD fresh :part", "fresh", Some(json!({"N": "0.1"}))),
            ("SET n = n + :one, s = :s", "n", Some(json!({"N": "2"}))),
            ("SET n = if_not_exists(n, :part)", "n", Some(json!({"N": "1"}))),
            ("SET c = if_not_exists(c, :one) + :one", "c", Some(json!({"N": "2"}))),
            ("SET m.k = :one", "m", Some(json!({"M": {"k": {"N": "1"}}}))),
            ("REMOVE n", "n", Some(Value::Null)),
            ("ADD half :one", "half", Some(json!({"N": "1.5"}))),
            ("SET n = n + :part", "n", Some(json!({"N": "1.1"}))),
            ("SET n = n - half", "n", Some(json!({"N": "0.5"}))),
            ("SET a = n, n = :part", "a", Some(json!({"N": "1"}))),
            ("SET l[1] = :s, l[9] = :s", "l", Some(list(&["0", "s", "2", "s"]))),
            ("REMOVE l[0], l[2], l[7]", "l", Some(list(&["1"]))),
            ("SET l = list_append(l, :l)", "l", Some(list(&["0", "1", "2", "3"]))),
            ("ADD set :x", "set", Some(json!({"SS": ["x", "y"]}))),
            ("DELETE set :x", "set", Some(json!({"SS": ["y"]}))),
            ("DELETE set :all", "set", Some(Value::Null)),
            ("DELETE none :all", "none", Some(Value::Null)),
            ("SET id = :s", "id", None),
            ("SET m.k = :one REMOVE m", "m", None),
            ("SET none.k = :one", "none", None),
            ("REMOVE none.k", "none", None),
            ("SET n = n + :s", "n", None),
            ("SET n = none", "n", None),
            ("SET l = list_append(l, :s)", "l", None),
            ("ADD id :one", "id", None),
            ("ADD fresh :s", "fresh", None),
            ("ADD set :one", "set", None),
            ("DELETE n :x", "n", None),
        ] {
            let got = update(expression);
            assert_eq!(got.clone().ok().map(|row| row[attribute].clone()), made, "{expression}: {got:?}");
        }
    }
}
