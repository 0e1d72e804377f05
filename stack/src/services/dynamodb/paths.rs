//! Document paths, such as `a.b[2]`: parsed by the crate, and what of a row they select.

use std::collections::{BTreeSet, HashMap};

use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::expr::parse_update_expression;
use winterbaume_dynamodb::types::{AttributeValue, PathSegment, UpdateAction, render_path};

/// A path.
pub type Path = Vec<PathSegment>;

/// The paths of a `ProjectionExpression`.
///
/// # Errors
/// DynamoDB's message.
pub fn read(text: &str, names: &HashMap<String, String>) -> Result<Vec<Path>, String> {
    let invalid = |what: &str| format!("Invalid ProjectionExpression: {what}");
    // A list of paths is what follows `REMOVE` in an update.
    let actions = parse_update_expression(&format!("REMOVE {text}"), names, &HashMap::new())
        .map_err(|error| invalid(error.trim_start_matches("Invalid UpdateExpression: ")))?;
    let paths = actions.into_iter().map(|action| if let UpdateAction::Remove(path) = action { Some(path) } else { None });
    let paths: Vec<Path> = paths.collect::<Option<_>>().ok_or_else(|| invalid("Syntax error"))?;
    match overlapping(&paths) {
        None => Ok(paths),
        Some((one, other)) => Err(invalid(&format!(
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [{}], path two: [{}]",
            render_path(one),
            render_path(other)
        ))),
    }
}

/// Two paths of which one is within the other.
pub fn overlapping(paths: &[Path]) -> Option<(&Path, &Path)> {
    paths.iter().enumerate().find_map(|(n, path)| {
        let other = paths.iter().skip(n + 1).find(|other| other.starts_with(path) || path.starts_with(other))?;
        Some((path, other))
    })
}

/// The value at a path.
pub fn at<'a>(row: &'a Item, path: &[PathSegment]) -> Option<&'a AttributeValue> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(row.get(first.as_attr()?)?, |within, segment| match (within, segment) {
        (AttributeValue::M(map), PathSegment::Attr(name)) => map.get(name),
        (AttributeValue::L(list), PathSegment::Index(n)) => list.get(*n),
        _ => None,
    })
}

/// What of a row is at the paths: maps keep only what is selected in them, lists become shorter.
pub fn select(row: &Item, paths: &[Path]) -> Item {
    map(row, &paths.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

fn map(row: &Item, paths: &[&[PathSegment]]) -> Item {
    let names: BTreeSet<&str> = paths.iter().filter_map(|path| path.first()?.as_attr()).collect();
    let selected = names.into_iter().filter_map(|name| {
        let within = within(paths, |segment| segment.as_attr() == Some(name));
        Some((name.to_owned(), part(row.get(name)?, &within)?))
    });
    selected.collect()
}

/// The rest of the paths that begin with a segment.
fn within<'a>(paths: &[&'a [PathSegment]], begins: impl Fn(&PathSegment) -> bool) -> Vec<&'a [PathSegment]> {
    paths.iter().filter_map(|path| path.split_first()).filter(|(first, _)| begins(first)).map(|(_, rest)| rest).collect()
}

fn part(value: &AttributeValue, paths: &[&[PathSegment]]) -> Option<AttributeValue> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    match value {
        AttributeValue::M(row) => Some(map(row, paths)).filter(|row| !row.is_empty()).map(AttributeValue::M),
        AttributeValue::L(list) => {
            let elements = list.iter().enumerate().filter_map(|(n, element)| {
                let within = within(paths, |segment| *segment == PathSegment::Index(n));
                if within.is_empty() { None } else { part(element, &within) }
            });
            Some(elements.collect::<Vec<_>>()).filter(|list| !list.is_empty()).map(AttributeValue::L)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[test]
    fn a_projection_selects_parts_of_maps_and_lists() {
        let row: Item = from_value(json!({
            "id": {"S": "a"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}, "l": {"L": [{"S": "0"}, {"M": {"k": {"S": "1"}}}, {"S": "2"}]},
        }))
        .unwrap();
        for (text, selected) in [
            ("id", json!({"id": {"S": "a"}})),
            ("m.x, none", json!({"m": {"M": {"x": {"N": "1"}}}})),
            ("l[2], l[0]", json!({"l": {"L": [{"S": "0"}, {"S": "2"}]}})),
            ("l[1].k", json!({"l": {"L": [{"M": {"k": {"S": "1"}}}]}})),
            ("m.none, id.x, l[9]", json!({})),
            ("m.#y", json!({"m": {"M": {"y": {"N": "2"}}}})),
        ] {
            let paths = read(text, &[("#y".to_owned(), "y".to_owned())].into()).unwrap();
            assert_eq!(json!(select(&row, &paths)), selected, "{text}");
        }
        for text in ["", "id,", "m, m.x", "id SET a = b", "id = :x", "#none"] {
            let refused = read(text, &HashMap::new());
            assert!(refused.as_ref().is_err_and(|why| why.starts_with("Invalid ProjectionExpression: ")), "{text}: {refused:?}");
        }
        assert_eq!(json!(select(&row, &[])), Value::Object(serde_json::Map::new()));
    }
}
