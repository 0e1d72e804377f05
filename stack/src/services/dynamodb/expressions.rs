//! Checks a request's expressions before any row is read: refuses what DynamoDB refuses but the
//! crate (0.3.0) accepts, and what the crate would evaluate wrongly. A refusal is noticed, a wrong
//! row is not.

use std::collections::BTreeSet;

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
    if let Some(name) = LEGACY.iter().find(|name| body.contains_key(**name)) {
        return Some(format!("`{name}` is not served on this machine: say it by an expression"));
    }
    match operation {
        "BatchGetItem" | "TransactGetItems" => asks_projection(body).then(|| format!("{operation} gives whole rows on this machine")),
        "TransactWriteItems" => {
            let actions = body.get("TransactItems")?.as_array()?.iter().filter_map(Value::as_object);
            actions.flat_map(Map::values).filter_map(Value::as_object).find_map(of_expressions)
        }
        _ => of_expressions(body),
    }
}

fn asks_projection(body: &Map<String, Value>) -> bool {
    let text = Value::Object(body.clone()).to_string();
    ["\"ProjectionExpression\":", "\"AttributesToGet\":"].iter().any(|key| text.contains(key))
}

fn of_expressions(body: &Map<String, Value>) -> Option<String> {
    let mut used = BTreeSet::new();
    for (name, expression) in EXPRESSIONS.iter().filter_map(|name| Some((*name, body.get(*name)?.as_str()?))) {
        for (word, calls) in words(expression) {
            let grammar = calls || GRAMMAR.iter().any(|known| known.eq_ignore_ascii_case(word));
            if word.starts_with(['#', ':']) {
                used.insert(word);
            } else if !grammar && is_reserved(word) {
                return Some(format!("Invalid {name}: Attribute name is a reserved keyword; reserved keyword: {word}"));
            }
        }
        if name == "FilterExpression" && (expression.contains("contains") || expression.contains("<>")) {
            return Some("filters by `contains` and `<>` are not served on this machine: the tables here would answer wrongly".to_owned());
        }
    }
    for parameter in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        let given = body.get(parameter).and_then(Value::as_object).into_iter().flat_map(Map::keys);
        if let Some(unused) = given.map(String::as_str).find(|given| !used.contains(given)) {
            return Some(format!("Value provided in {parameter} unused in expressions: keys: {{{unused}}}"));
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
            ("PutItem", json!({"ExpressionAttributeNames": {"#a": "a"}}), Some("ExpressionAttributeNames unused")),
            ("PutItem", json!({"Expected": {}}), Some("`Expected` is not served")),
            ("UpdateItem", json!({"AttributeUpdates": {}}), Some("`AttributeUpdates` is not served")),
            ("Scan", json!({"FilterExpression": "a <> :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}), Some("filters by")),
            ("Scan", json!({"FilterExpression": "contains(a, :o)", "ExpressionAttributeValues": {":o": {"N": "1"}}}), Some("filters by")),
            (
                "PutItem",
                json!({"ConditionExpression": "contains(a, :o) AND a <> :o", "ExpressionAttributeValues": {":o": {"N": "1"}}}),
                None,
            ),
            ("BatchGetItem", json!({"RequestItems": {"T": {"Keys": [], "ProjectionExpression": "id"}}}), Some("whole rows")),
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
