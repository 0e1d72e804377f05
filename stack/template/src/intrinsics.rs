//! Resolves `Ref`, `Fn::Sub`, `Fn::GetAtt` and `Fn::Join` to text. Any other intrinsic is a
//! complaint, never an empty text.

use std::collections::BTreeMap;

use serde_json::Value;

/// The values of names in the template.
#[derive(Debug, Default)]
pub(crate) struct Names(pub BTreeMap<String, String>);

impl Names {
    fn find(&self, name: &str) -> Result<String, String> {
        self.0.get(name).cloned().ok_or_else(|| format!("found `{name}`, which stands for nothing here"))
    }

    /// A value as text, with everything in it resolved.
    pub(crate) fn text(&self, value: &Value) -> Result<String, String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
            Value::Object(map) if map.len() == 1 => match map.iter().next() {
                Some((name, argument)) => self.intrinsic(name, argument),
                None => Err("found nothing, expected text".to_owned()),
            },
            other => Err(format!("found `{other}`, expected text or an intrinsic")),
        }
    }

    /// A value with everything in it resolved: text, a list or a map.
    ///
    /// # Errors
    /// If a name is unknown, or a function invalid.
    pub(crate) fn value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::Object(map) if map.len() == 1 && map.keys().all(|key| key == "Ref" || key.starts_with("Fn::")) => {
                Value::String(self.text(value)?)
            }
            Value::Object(map) => {
                let each = map.iter().map(|(key, value)| Ok((key.clone(), self.value(value)?)));
                Value::Object(each.collect::<Result<_, String>>()?)
            }
            Value::Array(list) => list.iter().map(|one| self.value(one)).collect::<Result<_, _>>()?,
            other => other.clone(),
        })
    }

    fn intrinsic(&self, name: &str, argument: &Value) -> Result<String, String> {
        match (name, argument) {
            ("Ref", Value::String(name)) => self.find(name),
            ("Fn::GetAtt", Value::String(path)) => self.find(path),
            ("Fn::GetAtt", Value::Array(path)) => {
                let path: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
                self.find(&path.join("."))
            }
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &BTreeMap::new()),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(more)] => {
                    let more = more.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?))).collect::<Result<_, String>>()?;
                    self.substitute(text, &more)
                }
                _ => Err("found `Fn::Sub` with a list, expected a text and a map".to_owned()),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(between), Value::Array(parts)] => {
                    Ok(parts.iter().map(|part| self.text(part)).collect::<Result<Vec<_>, _>>()?.join(between))
                }
                // A list parameter is its comma-separated text here.
                [Value::String(between), list @ Value::Object(_)] => Ok(self.text(list)?.replace(',', between)),
                _ => Err("found `Fn::Join`, expected a text and a list".to_owned()),
            },
            _ => Err(format!("found `{name}`, there are: Ref, Fn::Sub, Fn::GetAtt, Fn::Join")),
        }
    }

    fn substitute(&self, text: &str, more: &BTreeMap<String, String>) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or_else(|| format!("found `{text}`, a brace is not closed"))?;
            out.push_str(before);
            match name.strip_prefix('!') {
                // `${!name}` is the literal text `${name}`.
                Some(literal) => out.push_str(&format!("${{{literal}}}")),
                None => out.push_str(&more.get(name).map_or_else(|| self.find(name), |value| Ok(value.clone()))?),
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn intrinsics_become_text() {
        let names =
            Names([("Table", "users"), ("Pool.Arn", "arn:pool"), ("AWS::Region", "us-east-1")].map(|(a, b)| (a.into(), b.into())).into());
        for (value, text) in [
            (json!("x"), Some("x")),
            (json!(3), Some("3")),
            (json!({ "Ref": "Table" }), Some("users")),
            (json!({ "Fn::GetAtt": ["Pool", "Arn"] }), Some("arn:pool")),
            (json!({ "Fn::GetAtt": "Pool.Arn" }), Some("arn:pool")),
            (json!({ "Fn::Sub": "${AWS::Region}/${Table}/${!Table}" }), Some("us-east-1/users/${Table}")),
            (json!({ "Fn::Sub": ["${a}-${Table}", { "a": { "Ref": "Table" } }] }), Some("users-users")),
            (json!({ "Ref": "Nothing" }), None),
            (json!({ "Fn::If": ["a", "b", "c"] }), None),
            (json!({ "Fn::Sub": "${open" }), None),
            (json!(["x"]), None),
        ] {
            assert_eq!(names.text(&value).ok().as_deref(), text, "{value}");
        }
    }
}
