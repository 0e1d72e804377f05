//! CloudFormation's functions on values, without what they refer to. A function whose argument is
//! not known yet has no value yet.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::cidr;

/// The only field of a map with exactly one.
pub(crate) fn single(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// The name and argument of a function.
pub(crate) fn function(value: &Value) -> Option<(&str, &Value)> {
    single(value).filter(|(name, _)| *name == "Ref" || name.starts_with("Fn::"))
}

/// Whether no function is left in a value.
pub(crate) fn is_plain(value: &Value) -> bool {
    match value {
        Value::Array(list) => list.iter().all(is_plain),
        Value::Object(fields) => function(value).is_none() && fields.values().all(is_plain),
        _ => true,
    }
}

/// A plain value as text.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The value of a function whose argument is resolved; `None` if something in it is not known yet.
///
/// # Errors
/// If the argument is invalid, or there is no such function.
pub(crate) fn apply(name: &str, argument: &Value) -> Result<Option<Value>, String> {
    let wrong = |expected: &str| format!("found `{argument}` in `{name}`, expected {expected}");
    let list = |value: &Value| if function(value).is_some() { Ok(None) } else { value.as_array().cloned().map(Some).ok_or(()) };
    Ok(match (name, argument) {
        ("Fn::Join", Value::Array(parts)) => {
            let [Value::String(between), parts] = parts.as_slice() else { return Err(wrong("a text and a list")) };
            let Some(parts) = list(parts).map_err(|()| wrong("a text and a list"))? else { return Ok(None) };
            if !parts.iter().all(is_plain) {
                return Ok(None);
            }
            let parts: Option<Vec<_>> = parts.iter().map(text).collect();
            Some(Value::String(parts.ok_or_else(|| wrong("a list of texts"))?.join(between)))
        }
        ("Fn::Select", Value::Array(parts)) => {
            let [index, items] = parts.as_slice() else { return Err(wrong("a number and a list")) };
            let (true, Some(items)) = (is_plain(index), list(items).map_err(|()| wrong("a number and a list"))?) else { return Ok(None) };
            let index: usize = text(index).and_then(|index| index.parse().ok()).ok_or_else(|| wrong("a number from 0"))?;
            let chosen = items.get(index).ok_or_else(|| format!("found item {index} in `{name}`, the list has {}", items.len()))?;
            Some(chosen.clone())
        }
        ("Fn::Split", Value::Array(parts)) => {
            let [Value::String(between), whole] = parts.as_slice() else { return Err(wrong("a delimiter and a text")) };
            if between.is_empty() {
                return Err(wrong("a delimiter that is not empty"));
            }
            if !is_plain(whole) {
                return Ok(None);
            }
            let whole = text(whole).ok_or_else(|| wrong("a delimiter and a text"))?;
            Some(whole.split(between.as_str()).map(Value::from).collect())
        }
        ("Fn::Base64", whole) if is_plain(whole) => {
            Some(text(whole).map(|text| STANDARD.encode(text).into()).ok_or_else(|| wrong("a text"))?)
        }
        ("Fn::Cidr", Value::Array(parts)) if is_plain(argument) => Some(cidr::split(parts)?),
        ("Fn::Length", Value::Array(items)) => Some(json!(items.len())),
        ("Fn::ToJsonString", whole) if is_plain(whole) => match whole {
            Value::Array(_) | Value::Object(_) => Some(whole.to_string().into()),
            _ => return Err(wrong("a list or a map")),
        },
        ("Fn::Base64" | "Fn::ToJsonString", _) => None,
        ("Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::Cidr" | "Fn::Length", other) if !is_plain(other) => None,
        ("Fn::Join" | "Fn::Select" | "Fn::Split" | "Fn::Cidr" | "Fn::Length", _) => return Err(wrong("a list")),
        _ => return Err(format!("found `{name}`, which is no function of CloudFormation here")),
    })
}

/// Both parts of `Fn::Sub`: the text, and the variables of its own.
pub(crate) fn sub_parts(argument: &Value) -> Result<(&str, Map<String, Value>), String> {
    match argument {
        Value::String(text) => Ok((text, Map::new())),
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(text), Value::Object(variables)] => Ok((text, variables.clone())),
            [Value::String(text)] => Ok((text, Map::new())),
            _ => Err("found `Fn::Sub` with a list, expected a text and a map".to_owned()),
        },
        other => Err(format!("found `{other}` in `Fn::Sub`, expected a text")),
    }
}

/// A piece of the text of `Fn::Sub`.
pub(crate) enum Piece<'a> {
    /// Text as it is; `${!name}` is the text `${name}`.
    Text(String),
    /// `${name}`.
    Variable(&'a str),
}

/// The pieces of a text. A `$` without a brace, and a brace that is not closed, are text; a name is
/// letters, digits, `.`, `:` and `_`. Source: CloudFormation User Guide, Fn::Sub.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest, mut before) = (Vec::new(), text, String::new());
    while let Some((head, tail)) = rest.split_once("${") {
        before.push_str(head);
        let Some((inner, after)) = tail.split_once('}') else {
            before.push_str("${");
            rest = tail;
            continue;
        };
        if let Some(literal) = inner.strip_prefix('!') {
            before.push_str(&format!("${{{literal}}}"));
        } else {
            pieces.extend([Piece::Text(std::mem::take(&mut before)), Piece::Variable(inner.trim())]);
        }
        rest = after;
    }
    before.push_str(rest);
    pieces.push(Piece::Text(before));
    pieces
}

/// A text that `Fn::Sub` takes for itself.
pub(crate) fn escaped(text: &str) -> String {
    text.replace("${", "${!")
}

/// Both parts of `Fn::GetAtt`: `A.Outputs.B` and `[A, Outputs.B]` are the same.
pub(crate) fn attribute(argument: &Value) -> Result<(String, String), String> {
    let wrong = || format!("found `{argument}` in `Fn::GetAtt`, expected a resource and an attribute");
    match argument {
        Value::String(path) => {
            path.split_once('.').map(|(resource, attribute)| (resource.to_owned(), attribute.to_owned())).ok_or_else(wrong)
        }
        Value::Array(parts) => match parts.as_slice() {
            [Value::String(resource), attribute] => Ok((resource.clone(), text(attribute).ok_or_else(wrong)?)),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_a_value_as_soon_as_its_argument_has() {
        let unknown = json!({"Fn::GetAtt": ["A", "List"]});
        for (name, argument, value) in [
            ("Fn::Join", json!(["-", ["a", 1, true]]), Some(json!("a-1-true"))),
            ("Fn::Join", json!(["", []]), Some(json!(""))),
            ("Fn::Join", json!(["", ["a", unknown]]), None),
            ("Fn::Join", json!(["", unknown]), None),
            ("Fn::Select", json!([1, ["a", "b"]]), Some(json!("b"))),
            ("Fn::Select", json!(["0", ["a", unknown]]), Some(json!("a"))),
            ("Fn::Select", json!([0, unknown]), None),
            ("Fn::Split", json!(["|", "a||b"]), Some(json!(["a", "", "b"]))),
            ("Fn::Split", json!([",", unknown]), None),
            ("Fn::Base64", json!("AWS CloudFormation"), Some(json!("QVdTIENsb3VkRm9ybWF0aW9u"))),
            ("Fn::Base64", unknown.clone(), None),
            ("Fn::Length", json!(["a", unknown]), Some(json!(2))),
            ("Fn::ToJsonString", json!({"b": [1, "x"], "a": null}), Some(json!("{\"b\":[1,\"x\"],\"a\":null}"))),
            ("Fn::ToJsonString", json!({"a": unknown}), None),
        ] {
            assert_eq!(apply(name, &argument), Ok(value), "{name} {argument}");
        }
    }

    #[test]
    fn an_invalid_argument_is_refused() {
        for (name, argument) in [
            ("Fn::Join", json!("a")),
            ("Fn::Join", json!([1, ["a"]])),
            ("Fn::Join", json!(["", "a"])),
            ("Fn::Join", json!(["", [["a"]]])),
            ("Fn::Select", json!([2, ["a"]])),
            ("Fn::Select", json!([-1, ["a"]])),
            ("Fn::Select", json!(["x", ["a"]])),
            ("Fn::Split", json!(["", "a"])),
            ("Fn::Split", json!([",", ["a"]])),
            ("Fn::Base64", json!(["a"])),
            ("Fn::Length", json!("a")),
            ("Fn::ToJsonString", json!("a")),
            ("Fn::Nothing", json!("a")),
        ] {
            assert!(apply(name, &argument).is_err(), "{name} {argument}");
        }
    }
}
