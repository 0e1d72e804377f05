//! YAML text to a JSON value. Tags and aliases are refused: the template is written in the long form only.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// Reads one document.
///
/// # Errors
/// If it is not YAML, has a tag or an alias, or a key that is not text.
pub fn read(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        let line = span.start.line();
        let value = match event {
            Event::Scalar(_, _, _, Some(tag)) | Event::SequenceStart(_, Some(tag)) | Event::MappingStart(_, Some(tag)) => {
                return Err(format!("line {line}: found the tag `{tag}`, write the long form such as `Fn::Sub:`"));
            }
            Event::Alias(_) => return Err(format!("line {line}: found an alias, write the value out")),
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Map::new(), None));
                continue;
            }
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::Array(list),
                Some(Open::Map(map, _)) => Value::Object(map),
                None => continue,
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => continue,
        };
        match open.last_mut() {
            None => root = Some(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match (key.take(), value) {
                (None, Value::String(text)) => *key = Some(text),
                (None, Value::Number(number)) => *key = Some(number.to_string()),
                (None, other) => return Err(format!("line {line}: found the key `{other}`, a key is text")),
                (Some(key), value) => {
                    if map.insert(key.clone(), value).is_some() {
                        return Err(format!("line {line}: found the key `{key}` twice"));
                    }
                }
            },
        }
    }
    root.ok_or_else(|| "found nothing, expected a template".to_owned())
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => text.parse::<i64>().map(Value::from).unwrap_or_else(|_| decimal(text).unwrap_or_else(|| Value::String(text.to_owned()))),
    }
}

/// A number with a decimal point, if it prints back as it was written.
fn decimal(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    (text.contains('.') && number.to_string() == text).then(|| Value::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_reads_as_json_would() {
        let text =
            "a: 1\nb: [x, 'true', true, null]\nc:\n  - d: 2012-10-17\n    e: \"\"\n    g: [1.5, 1.50, 1.2.3]\nf: >-\n  two\n  words\n";
        let value = json!({ "a": 1, "b": ["x", "true", true, null], "c": [{ "d": "2012-10-17", "e": "", "g": [1.5, "1.50", "1.2.3"] }], "f": "two words" });
        assert_eq!(read(text), Ok(value));
    }

    #[test]
    fn a_rule_whose_mail_would_be_lost_is_refused() {
        for (text, why) in [("a: !Ref b", "tag"), ("a: &x 1\nb: *x", "alias"), ("a: 1\na: 2", "twice"), ("a: [", ""), ("", "nothing")] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
