//! JSON in whose texts values are filled in.

use std::collections::BTreeMap;

use load::chance::Chance;
use serde_json::{Map, Value};

use super::Text;

/// A JSON value with texts that are understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// A text; one that is nothing but `{{int 1 9}}` becomes a number.
    Text(Text),
    /// A number, a boolean or null.
    Plain(Value),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Fields(Vec<(String, Json)>),
}

impl Json {
    /// The value, filled in.
    pub fn filled(&self, values: &BTreeMap<String, String>, chance: &mut Chance) -> Value {
        match self {
            Self::Text(text) => {
                let filled = text.filled(values, chance);
                filled.parse::<i64>().ok().filter(|_| text.is_number()).map_or(Value::String(filled), Value::from)
            }
            Self::Plain(value) => value.clone(),
            Self::List(list) => list.iter().map(|value| value.filled(values, chance)).collect(),
            Self::Fields(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), value.filled(values, chance))).collect::<Map<_, _>>())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_made_up_number_is_a_number_and_a_text_is_escaped() {
        let values = [("id".to_owned(), "a\"b".to_owned())].into();
        let text = |text: &str| Json::Text(Text::read(text, |_| None).unwrap());
        let value = Json::Fields(vec![
            ("id".to_owned(), text("{{id}}")),
            ("amount".to_owned(), text("{{int 2 2}}")),
            ("text".to_owned(), text("no {{int 2 2}}")),
            ("list".to_owned(), Json::List(vec![text("{{id}}"), Json::Plain(json!(1)), Json::Plain(json!(null))])),
        ]);
        let expected = json!({"id": "a\"b", "amount": 2, "text": "no 2", "list": ["a\"b", 1, null]});
        assert_eq!(value.filled(&values, &mut Chance::new(&[1])), expected);
    }
}
