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
    /// The names of the values that its texts need.
    pub fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Text(text) => Box::new(text.names()),
            Self::Plain(_) => Box::new(std::iter::empty()),
            Self::List(list) => Box::new(list.iter().flat_map(Self::names)),
            Self::Fields(fields) => Box::new(fields.iter().flat_map(|(_, value)| value.names())),
        }
    }

    /// Whether there is a value at a JSON pointer, whatever is filled in.
    pub fn has(&self, pointer: &str) -> bool {
        let Some(rest) = pointer.strip_prefix('/') else { return pointer.is_empty() };
        let (first, rest) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let name = first.replace("~1", "/").replace("~0", "~");
        match self {
            Self::Text(_) | Self::Plain(_) => false,
            Self::List(list) => name.parse::<usize>().ok().and_then(|at| list.get(at)).is_some_and(|value| value.has(rest)),
            Self::Fields(fields) => fields.iter().any(|(key, value)| *key == name && value.has(rest)),
        }
    }

    /// The JSON pointers of its top fields, as examples.
    pub fn pointers(&self) -> Vec<String> {
        let Self::Fields(fields) = self else { return Vec::new() };
        fields.iter().map(|(key, _)| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
    }

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
        assert_eq!(value.names().collect::<Vec<_>>(), ["id", "id"]);
        assert_eq!(value.pointers(), ["/id", "/amount", "/text", "/list"]);
        for (pointer, is_there) in [("", true), ("/id", true), ("/list/1", true), ("/list/4", false), ("/id/x", false), ("/none", false)] {
            assert_eq!(value.has(pointer), is_there, "{pointer}");
        }
    }
}
