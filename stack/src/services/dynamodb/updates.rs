//! What an update makes of a row: parsed and applied by the crate (0.3.0). Updates for which the
//! crate differs from DynamoDB are refused.

use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::apply_update_actions;
use winterbaume_dynamodb::types::{AttributeValue, PathSegment, SetOperand, UpdateAction, render_path};

use super::conditions::at;

/// The row after the update; `before` is the row before it, or only the key if the row does not
/// exist. `keys` are the names of the key's attributes.
///
/// # Errors
/// What is wrong with it, as the text of a `ValidationException`.
pub fn applied(actions: &[UpdateAction], before: &Item, keys: &[&str]) -> Result<Item, String> {
    let paths: Vec<_> = actions.iter().map(path).collect();
    for (n, path) in paths.iter().enumerate() {
        if let [PathSegment::Attr(name), ..] = path.as_slice()
            && keys.contains(&name.as_str())
        {
            return Err(format!(
                "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
            ));
        }
        if paths.iter().skip(n + 1).any(|other| other.starts_with(path) || path.starts_with(other)) {
            let path = render_path(path);
            return Err(format!("Invalid UpdateExpression: Two document paths overlap with each other; overlapping paths: [{path}]"));
        }
        let within = path.split_last().map(|(_, within)| within).unwrap_or_default();
        if !within.is_empty() && at(before, within).is_none() {
            return Err("The document path provided in the update expression is invalid for update".to_owned());
        }
    }
    if actions.iter().any(|action| is_inexact(action, before)) {
        return Err("this machine's tables add and subtract whole numbers only".to_owned());
    }
    let mut after = before.clone();
    apply_update_actions(&mut after, actions)?;
    Ok(after)
}

/// The top-level attributes that an update changes; `None` if it changes a part of one.
pub fn touched(actions: &[UpdateAction]) -> Option<Vec<String>> {
    let paths = actions.iter().map(path);
    paths.map(|path| if let [PathSegment::Attr(name)] = path.as_slice() { Some(name.clone()) } else { None }).collect()
}

fn path(action: &UpdateAction) -> Vec<PathSegment> {
    match action {
        UpdateAction::Set { path, .. } | UpdateAction::Remove(path) => path.clone(),
        UpdateAction::Add(name, _) | UpdateAction::Delete(name, _) => vec![PathSegment::Attr(name.clone())],
    }
}

/// Whether the crate would calculate with floats.
fn is_inexact(action: &UpdateAction, before: &Item) -> bool {
    match action {
        UpdateAction::Add(name, by) => before.get(name).is_some_and(is_fraction) || before.contains_key(name) && is_fraction(by),
        UpdateAction::Set { value, .. } => reckons_in_floats(value, before),
        UpdateAction::Remove(_) | UpdateAction::Delete(..) => false,
    }
}

fn reckons_in_floats(operand: &SetOperand, before: &Item) -> bool {
    match operand {
        SetOperand::Plus(a, b) | SetOperand::Minus(a, b) => has_fraction(a, before) || has_fraction(b, before),
        SetOperand::IfNotExists(_, other) => reckons_in_floats(other, before),
        SetOperand::ListAppend(a, b) => reckons_in_floats(a, before) || reckons_in_floats(b, before),
        SetOperand::Value(_) | SetOperand::Path(_) => false,
    }
}

fn has_fraction(operand: &SetOperand, before: &Item) -> bool {
    match operand {
        SetOperand::Value(value) => is_fraction(value),
        SetOperand::Path(path) => at(before, path).is_some_and(is_fraction),
        SetOperand::IfNotExists(path, other) => at(before, path).map_or_else(|| has_fraction(other, before), is_fraction),
        SetOperand::Plus(..) | SetOperand::Minus(..) | SetOperand::ListAppend(..) => reckons_in_floats(operand, before),
    }
}

fn is_fraction(value: &AttributeValue) -> bool {
    matches!(value, AttributeValue::N(text) if text.parse::<i128>().is_err())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, from_value, json};
    use winterbaume_dynamodb::expr::parse_update_expression;

    use super::*;

    fn update(expression: &str) -> Result<Value, String> {
        let before: Item =
            from_value(json!({"id": {"S": "a"}, "n": {"N": "1"}, "half": {"N": "0.5"}, "m": {"M": {"k": {"N": "2"}}}})).unwrap();
        let values: HashMap<String, AttributeValue> =
            from_value(json!({":one": {"N": "1"}, ":part": {"N": "0.1"}, ":s": {"S": "s"}})).unwrap();
        let actions = parse_update_expression(expression, &HashMap::new(), &values).unwrap();
        applied(&actions, &before, &["id"]).map(|after| json!(after))
    }

    #[test]
    fn an_update_has_the_result_of_dynamodb_or_is_refused() {
        for (expression, attribute, made) in [
            ("ADD n :one", "n", Some(json!({"N": "2"}))),
            ("ADD fresh :one", "fresh", Some(json!({"N": "1"}))),
            ("ADD fresh :part", "fresh", Some(json!({"N": "0.1"}))),
            ("SET n = n + :one, s = :s", "n", Some(json!({"N": "2"}))),
            ("SET n = if_not_exists(n, :part)", "n", Some(json!({"N": "1"}))),
            ("SET c = if_not_exists(c, :one) + :one", "c", Some(json!({"N": "2"}))),
            ("SET m.k = :one", "m", Some(json!({"M": {"k": {"N": "1"}}}))),
            ("REMOVE n", "n", Some(Value::Null)),
            ("SET id = :s", "id", None),
            ("SET m.k = :one REMOVE m", "m", None),
            ("SET none.k = :one", "none", None),
            ("ADD half :one", "half", None),
            ("SET n = n + :part", "n", None),
            ("SET n = n + half", "n", None),
            ("SET n = n + :s", "n", None),
            ("ADD id :one", "id", None),
        ] {
            let got = update(expression);
            assert_eq!(got.clone().ok().map(|row| row[attribute].clone()), made, "{expression}: {got:?}");
        }
    }
}
