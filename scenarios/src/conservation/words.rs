//! Compares what a service saw with what a rule seeks: whole words of a text, fields of a thing.

use std::collections::BTreeSet;

use run_folder::effects::{Effect, Place};
use serde_json::{Map, Value};

/// A letter, a digit, or one of the signs that ids are made of.
fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '-' || letter == '_'
}

/// Whether `word`, which may be several words, occurs in a text without being a part of a longer
/// word.
pub(super) fn occurs(text: &str, word: &str) -> bool {
    let is_free = |at: usize| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    !word.is_empty() && (text.match_indices(word).any(|(at, _)| is_free(at)) || unescaped(text).is_some_and(|plain| occurs(&plain, word)))
}

/// The texts and numbers of a JSON text in which something is escaped, also of JSON in its texts.
fn unescaped(text: &str) -> Option<String> {
    let value: Value = text.contains('\\').then(|| serde_json::from_str(text).ok())??;
    let mut out = String::new();
    flatten(&value, &mut out);
    Some(out)
}

fn flatten(value: &Value, out: &mut String) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| flatten(value, out)),
        Value::Object(fields) => fields.values().for_each(|value| flatten(value, out)),
        Value::String(text) => {
            match serde_json::from_str::<Value>(text) {
                Ok(inner @ (Value::Array(_) | Value::Object(_))) => flatten(&inner, out),
                // A backslash of its own is no escape any more.
                _ => out.push_str(&text.replace('\\', " ")),
            }
            out.push('\n');
        }
        other => out.push_str(&format!("{other}\n")),
    }
}

/// The longest word of a text, in lower case.
pub(super) fn longest(text: &str) -> Option<String> {
    text.split(|letter| !is_part(letter)).max_by_key(|word| word.len()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// The words by which an effect's thing is found, in lower case: whole fields, and what its text
/// consists of.
pub(super) fn of_effect(effect: &Effect) -> BTreeSet<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for value in effect.fields.values() {
        match value {
            Value::Array(list) => words.extend(list.iter().map(|value| plain(value).to_lowercase())),
            other => drop(words.insert(plain(other).to_lowercase())),
        }
    }
    let plain = unescaped(&effect.text);
    for text in [Some(&effect.text), plain.as_ref()].into_iter().flatten() {
        words.extend(text.split(|letter| !is_part(letter)).filter(|word| !word.is_empty()).map(str::to_lowercase));
    }
    words
}

/// A value as people write it.
pub(super) fn plain(value: &Value) -> String {
    if let Value::String(text) = value { text.clone() } else { value.to_string() }
}

/// Whether a field of a key has this value; one of a mail's readers is enough, in any case.
pub(super) fn names(place: &Place, found: &Value, wanted: &str) -> bool {
    match (place, found) {
        (Place::Mail, Value::Array(readers)) => readers.iter().any(|reader| plain(reader).eq_ignore_ascii_case(wanted)),
        _ => plain(found) == wanted,
    }
}

/// The first field that is not as it should be, in a phrase.
pub(super) fn differs(fields: &Map<String, Value>, expected: &[(String, Value)]) -> Option<String> {
    expected.iter().find_map(|(name, wanted)| match fields.get(name) {
        None => Some(format!("it has no `{name}`")),
        Some(found) if same(wanted, found) => None,
        Some(found) => Some(format!("`{name}` is `{}`, not `{}`", plain(found), plain(wanted))),
    })
}

/// Whether a value is the wanted one. A text matches a number that is written so, because what is
/// filled in is always a text. Of an object the wanted fields count.
fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::String(text), found) => *text == plain(found),
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b))),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_occurs_whole_or_not_at_all() {
        for (text, word, occurs_in_it) in [
            (r#"{"id":"o-1"}"#, "o-1", true),
            (r#"{"id":"o-12"}"#, "o-1", false),
            (r#"{"id":"xo-1"}"#, "o-1", false),
            ("o-1.json", "o-1", true),
            ("jane@x.com", "jane@x.com", true),
            (r#"{"Message":"{\"id\":\"o-1\"}"}"#, "o-1", true),
            (r#"{"name":"J\u00f8rgen"}"#, "Jørgen", true),
            ("", "o-1", false),
            ("o-1", "", false),
            ("a\\", "o-1", false),
        ] {
            assert_eq!(occurs(text, word), occurs_in_it, "{word} in {text}");
            let effect = Effect { text: text.into(), ..Effect::new(Place::Mail, "m", run_folder::Change::Made) };
            let is_found = longest(word).is_some_and(|word| of_effect(&effect).contains(&word));
            assert!(is_found || !occurs_in_it, "{word} in {text}");
        }
    }

    #[test]
    fn fields_are_compared_as_people_write_them() {
        let fields = json!({"amount": 2, "state": "NEW", "paid": true, "to": {"city": "Oslo", "zip": "1"}}).as_object().unwrap().clone();
        for (name, wanted, says) in [
            ("amount", json!("2"), None),
            ("amount", json!(2.0), None),
            ("amount", json!(3), Some("`amount` is `2`, not `3`")),
            ("state", json!("PAID"), Some("`state` is `NEW`, not `PAID`")),
            ("paid", json!(true), None),
            ("to", json!({"city": "Oslo"}), None),
            ("to", json!({"city": "Bergen"}), Some("`to` is `{\"city\":\"Oslo\",\"zip\":\"1\"}`, not `{\"city\":\"Bergen\"}`")),
            ("none", json!(1), Some("it has no `none`")),
        ] {
            assert_eq!(differs(&fields, &[(name.to_owned(), wanted.clone())]).as_deref(), says, "{name} {wanted}");
        }
    }
}
