//! Writes values as TOML.

use serde_json::Value;

/// A text in quotes.
pub fn text(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            letter if letter.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(letter))),
            letter => out.push(letter),
        }
    }
    out + "\""
}

/// A key, in quotes if it needs them.
pub fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_bare { name.to_owned() } else { text(name) }
}

/// A JSON value on one line. TOML has no null, so a field that is null is missing.
pub fn value(json: &Value) -> String {
    match json {
        Value::Null => text(""),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(list) => format!("[{}]", list.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields =
                fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, field)| format!("{} = {}", key(name), value(field)));
            let fields: Vec<_> = fields.collect();
            if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for json in [json!({"a": 1, "b c": "x\"y\\z\n\u{1}", "d": [true, 1.5, {"e": {}}]}), json!({}), json!({"": "é"})] {
            let read: toml::Table = format!("v = {}", value(&json)).parse().unwrap();
            assert_eq!(serde_json::to_value(&read["v"]).unwrap(), json);
        }
        assert_eq!(value(&json!({"a": null, "b": 1})), "{ b = 1 }");
    }
}
