//! The last resolve: what is left of `Ref`, `Fn::GetAtt` and `Fn::Sub` refers to resources, whose
//! names and attributes are known now. A function without a value is a complaint, never empty text.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::functions::{Piece, apply, attribute, function, pieces, sub_parts, text};

/// The values of names in the template: logical ids, and `Orders.Arn`.
#[derive(Debug, Default)]
pub(crate) struct Names(pub BTreeMap<String, String>);

impl Names {
    fn find(&self, name: &str) -> Result<String, String> {
        self.0.get(name).cloned().ok_or_else(|| format!("found `{name}`, which names nothing in the template"))
    }

    /// A value as text, with everything in it resolved.
    pub(crate) fn text(&self, value: &Value) -> Result<String, String> {
        text(&self.value(value)?).ok_or_else(|| format!("found `{value}`, expected text or a function that gives text"))
    }

    /// A value with everything in it resolved: text, a list or a map.
    ///
    /// # Errors
    /// If a name is unknown, or a function invalid.
    pub(crate) fn value(&self, value: &Value) -> Result<Value, String> {
        if let Some((name, argument)) = function(value) {
            return self.function(name, argument);
        }
        Ok(match value {
            Value::Array(list) => list.iter().map(|one| self.value(one)).collect::<Result<_, _>>()?,
            Value::Object(fields) => {
                let resolved = fields.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Value::Object(resolved.collect::<Result<Map<_, _>, String>>()?)
            }
            other => other.clone(),
        })
    }

    fn function(&self, name: &str, argument: &Value) -> Result<Value, String> {
        match (name, argument) {
            ("Ref", Value::String(name)) => self.find(name).map(Value::String),
            ("Fn::GetAtt", argument) => {
                let (resource, attribute) = attribute(argument)?;
                self.find(&format!("{resource}.{attribute}")).map(Value::String)
            }
            ("Fn::Sub", argument) => {
                let (text, variables) = sub_parts(argument)?;
                self.substitute(text, &variables).map(Value::String)
            }
            (name, argument) => {
                let value = apply(name, &self.value(argument)?)?;
                value.ok_or_else(|| format!("found `{argument}` in `{name}`, which has no value here"))
            }
        }
    }

    fn substitute(&self, text: &str, variables: &Map<String, Value>) -> Result<String, String> {
        let filled = pieces(text).into_iter().map(|piece| match piece {
            Piece::Text(text) => Ok(text),
            Piece::Variable(name) => match variables.get(name) {
                Some(value) => self.text(value),
                None => self.find(name),
            },
        });
        filled.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names() -> Names {
        Names([("Table", "users"), ("Pool.Arn", "arn:pool"), ("AWS::Region", "us-east-1")].map(|(a, b)| (a.into(), b.into())).into())
    }

    #[test]
    fn intrinsics_become_text() {
        for (value, text) in [
            (json!("x"), Some("x")),
            (json!(3), Some("3")),
            (json!({ "Ref": "Table" }), Some("users")),
            (json!({ "Fn::GetAtt": ["Pool", "Arn"] }), Some("arn:pool")),
            (json!({ "Fn::GetAtt": "Pool.Arn" }), Some("arn:pool")),
            (json!({ "Fn::Sub": "${AWS::Region}/${Table}/${!Table}" }), Some("us-east-1/users/${Table}")),
            (json!({ "Fn::Sub": ["${a}-${Table}", { "a": { "Ref": "Table" } }] }), Some("users-users")),
            (json!({ "Fn::Sub": "${open" }), Some("${open")),
            (json!({ "Fn::Select": [1, { "Fn::Split": [":", { "Fn::GetAtt": ["Pool", "Arn"] }] }] }), Some("pool")),
            (json!({ "Fn::Join": ["/", ["a", { "Ref": "Table" }]] }), Some("a/users")),
            (json!({ "Fn::ToJsonString": { "t": { "Ref": "Table" } } }), Some("{\"t\":\"users\"}")),
            (json!({ "Ref": "Nothing" }), None),
            (json!({ "Fn::If": ["a", "b", "c"] }), None),
            (json!(["x"]), None),
            (json!(null), None),
        ] {
            assert_eq!(names().text(&value).ok().as_deref(), text, "{value}");
        }
    }

    #[test]
    fn lists_and_maps_keep_their_form() {
        let value = json!({ "a": [{ "Ref": "Table" }, 1, null], "b": { "Fn::Split": ["s", { "Ref": "Table" }] }, "Ref": 1 });
        assert_eq!(names().value(&value), Ok(json!({ "a": ["users", 1, null], "b": ["u", "er", ""], "Ref": 1 })));
    }
}
