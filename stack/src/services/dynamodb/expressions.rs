//! Checks a request's expressions before any row is read: refuses what DynamoDB refuses but the
//! crate (0.3.0) accepts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reserved_words::is_reserved;

/// The parameters that hold expressions.
const EXPRESSIONS: [&str; 5] =
    ["ConditionExpression", "FilterExpression", "KeyConditionExpression", "ProjectionExpression", "UpdateExpression"];

/// The parameters from before expressions existed, which the crate ignores.
const LEGACY: [&str; 7] =
    ["AttributeUpdates", "AttributesToGet", "ConditionalOperator", "Expected", "KeyConditions", "QueryFilter", "ScanFilter"];

/// Keywords of the expressions' grammar.
const GRAMMAR: [&str; 9] = ["add", "and", "between", "delete", "in", "not", "or", "remove", "set"];

/// Why this body is refused, as the text of a `ValidationException`; `None` if it is accepted.
pub fn complaint(operation: &str, body: &Value) -> Option<String> {
    let body = body.as_object()?;
    if let Some(complaint) = legacy(body) {
        return Some(complaint);
    }
    match operation {
        "BatchGetItem" => body.get("RequestItems")?.as_object()?.values().filter_map(Value::as_object).find_map(of_table),
        "TransactWriteItems" | "TransactGetItems" => {
            let actions = body.get("TransactItems")?.as_array()?.iter().filter_map(Value::as_object);
            actions.flat_map(Map::values).filter_map(Value::as_object).find_map(of_table)
        }
        _ => of_expressions(body),
    }
}

/// One table's or one row's part of a request.
fn of_table(part: &Map<String, Value>) -> Option<String> {
    legacy(part).or_else(|| of_expressions(part))
}

fn legacy(body: &Map<String, Value>) -> Option<String> {
    let name = LEGACY.iter().find(|name| body.contains_key(**name))?;
    Some(format!("`{name}` is not served on this machine: use an expression"))
}

fn of_expressions(body: &Map<String, Value>) -> Option<String> {
    let mut used = BTreeMap::new();
    for (name, expression) in EXPRESSIONS.iter().filter_map(|name| Some((*name, body.get(*name)?.as_str()?))) {
        if expression.trim().is_empty() {
            return Some(format!("Invalid {name}: The expression can not be empty;"));
        }
        for (word, calls) in words(expression) {
            let grammar = calls || GRAMMAR.iter().any(|known| known.eq_ignore_ascii_case(word));
            if word.starts_with(['#', ':']) {
                used.insert(word, name);
            } else if !grammar && is_reserved(word) {
                return Some(format!("Invalid {name}: Attribute name is a reserved keyword; reserved keyword: {word}"));
            }
        }
    }
    for (parameter, sign, undefined) in [
        ("ExpressionAttributeNames", '#', "An expression attribute name used in the document path is not defined; attribute name: "),
        ("ExpressionAttributeValues", ':', "An expression attribute value used in expression is not defined; attribute value: "),
    ] {
        let given = body.get(parameter).and_then(Value::as_object);
        let defined = |word: &str| given.is_some_and(|given| given.contains_key(word));
        if let Some((word, name)) = used.iter().find(|(word, _)| word.starts_with(sign) && !defined(word)) {
            return Some(format!("Invalid {name}: {undefined}{word}"));
        }
        let Some(given) = given else { continue };
        if used.is_empty() && !EXPRESSIONS.iter().any(|name| body.contains_key(*name)) {
            return Some(format!("{parameter} can only be specified when using expressions"));
        }
        if given.is_empty() {
            return Some(format!("{parameter} must not be empty"));
        }
        let unused: Vec<&str> = given.keys().map(String::as_str).filter(|key| !used.contains_key(key)).collect();
        if !unused.is_empty() {
            return Some(format!("Value provided in {parameter} unused in expressions: keys: {{{}}}", unused.join(", ")));
        }
    }
    None
}

/// The names, placeholders and words of an expression, each with whether it is called as a
/// function.
fn words(expression: &str) -> Vec<(&str, bool)> {
    let inside = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut words = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|letter: char| inside(letter) || letter == '#' || letter == ':') {
        let from = rest.get(start..).unwrap_or_default();
        let sign = usize::from(from.starts_with(['#', ':']));
        let end = from.get(sign..).unwrap_or_default().find(|letter| !inside(letter)).map_or(from.len(), |end| end + sign);
        let (word, after) = from.split_at(end);
        words.push((word, after.trim_start().starts_with('(')));
        rest = after;
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_that_dynamodb_refuses_are_refused_and_the_rest_passes() {
        for (operation, body, part) in [
            (
                "PutItem",
                json!({"ConditionExpression": "attribute_not_exists(id) OR claimed_until < :now", "ExpressionAttributeValues": {":now": {"N": "1"}}}),
                None,
            ),
            (
                "UpdateItem",
                json!({"UpdateExpression": "SET #c = if_not_exists(#c, :z) + :o", "ExpressionAttributeNames": {"#c": "count"}, "ExpressionAttributeValues": {":z": {"N": "0"}, ":o": {"N": "1"}}}),
                None,
            ),
            (
                "UpdateItem",
                json!({"UpdateExpression": "ADD hits :o", "ConditionExpression": "size(tags) < :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}),
                None,
            ),
            ("PutItem", json!({"ConditionExpression": "attribute_not_exists(sub)"}), Some("reserved keyword: sub")),
            (
                "PutItem",
                json!({"ConditionExpression": "a.Timestamp < :t", "ExpressionAttributeValues": {":t": {"N": "1"}}}),
                Some("reserved keyword: Timestamp"),
            ),
            (
                "UpdateItem",
                json!({"UpdateExpression": "SET ttl = :t", "ExpressionAttributeValues": {":t": {"N": "1"}}}),
                Some("Invalid UpdateExpression"),
            ),
            ("GetItem", json!({"ProjectionExpression": "id, status"}), Some("reserved keyword: status")),
            (
                "PutItem",
                json!({"ConditionExpression": "attribute_not_exists(id)", "ExpressionAttributeValues": {":o": {"N": "1"}}}),
                Some("unused in expressions: keys: {:o}"),
            ),
            ("PutItem", json!({"ExpressionAttributeNames": {"#a": "a"}}), Some("ExpressionAttributeNames can only be specified when")),
            ("Scan", json!({"FilterExpression": "a = :o"}), Some("attribute value: :o")),
            ("Scan", json!({"FilterExpression": "attribute_exists(#a)"}), Some("attribute name: #a")),
            ("Scan", json!({"FilterExpression": ""}), Some("can not be empty")),
            ("PutItem", json!({"Expected": {}}), Some("`Expected` is not served")),
            ("UpdateItem", json!({"AttributeUpdates": {}}), Some("`AttributeUpdates` is not served")),
            (
                "PutItem",
                json!({"ConditionExpression": "contains(a, :o) AND a <> :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}),
                None,
            ),
            ("BatchGetItem", json!({"RequestItems": {"T": {"Keys": [], "ProjectionExpression": "status"}}}), Some("reserved")),
            ("BatchGetItem", json!({"RequestItems": {"T": {"Keys": [], "AttributesToGet": ["id"]}}}), Some("not served")),
            (
                "TransactWriteItems",
                json!({"TransactItems": [{"Put": {"ConditionExpression": "attribute_not_exists(ttl)"}}]}),
                Some("reserved keyword: ttl"),
            ),
        ] {
            let said = complaint(operation, &body);
            assert_eq!(said.is_some(), part.is_some(), "{operation} {body}: {said:?}");
            assert!(said.as_deref().unwrap_or_default().contains(part.unwrap_or_default()), "{operation} {body}: {said:?}");
        }
    }
}
