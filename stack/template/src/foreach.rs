//! `Fn::ForEach`: one entry a member of a collection.

use serde_json::{Map, Value};

use crate::functions::text;

/// The most entries of one loop; CloudFormation allows 500 resources in a template.
const MOST: usize = 1000;

/// Whether a key is `Fn::ForEach::Name`.
pub(crate) fn is_loop(key: &str) -> bool {
    key.starts_with("Fn::ForEach")
}

/// The entries of a loop, in which the identifier is replaced.
///
/// # Errors
/// If the loop is invalid. Source: CloudFormation User Guide, Fn::ForEach.
pub(crate) fn entries(argument: &Value, collection: Option<&Value>) -> Result<Map<String, Value>, String> {
    let [Value::String(identifier), _, Value::Object(body)] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else {
        return Err("expected an identifier, a collection and a map in `Fn::ForEach`".to_owned());
    };
    let members: Option<Vec<String>> = collection.and_then(Value::as_array).and_then(|members| members.iter().map(text).collect());
    let members = members.ok_or("the collection of `Fn::ForEach` must be a list of texts that is known before the stack is")?;
    if members.len().saturating_mul(body.len()) > MOST {
        return Err(format!("found more than {MOST} entries in `Fn::ForEach`"));
    }
    let mut entries = Map::new();
    for (index, member) in members.iter().enumerate() {
        for (key, value) in body {
            // A loop within this one is one loop for each member.
            let named = if is_loop(key) { format!("{key}::{index}") } else { replaced(key, identifier, member) };
            if entries.contains_key(&named) {
                return Err(format!("found the key `{named}` twice in `Fn::ForEach`"));
            }
            entries.insert(named, fill(value, identifier, member));
        }
    }
    Ok(entries)
}

/// `&{Name}` is the member without what a logical id cannot have.
fn replaced(text: &str, identifier: &str, member: &str) -> String {
    let letters: String = member.chars().filter(char::is_ascii_alphanumeric).collect();
    text.replace(&format!("${{{identifier}}}"), member).replace(&format!("&{{{identifier}}}"), &letters)
}

fn fill(value: &Value, identifier: &str, member: &str) -> Value {
    match value {
        Value::String(text) => replaced(text, identifier, member).into(),
        Value::Array(list) => list.iter().map(|one| fill(one, identifier, member)).collect(),
        Value::Object(fields) if fields.len() == 1 && fields.get("Ref").and_then(Value::as_str) == Some(identifier) => member.into(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (replaced(key, identifier, member), fill(value, identifier, member))).collect())
        }
        other => other.clone(),
    }
}
