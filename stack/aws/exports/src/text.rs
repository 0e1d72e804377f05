//! Writes JSON and YAML: the same bytes for the same value, whichever map `serde_json` was built
//! with. It decides nothing about the content.

use std::cmp::Ordering;
use std::fmt::Write;

use serde_json::{Map, Value};

/// Keys that people expect first, in this order; all others follow alphabetically.
const FIRST: &[&str] = &[
    "AWSTemplateFormatVersion",
    "Transform",
    "schemaVersion",
    "Version",
    "name",
    "Name",
    "Sid",
    "Type",
    "type",
    "action",
    "description",
    "Description",
    "on",
    "permissions",
    "assumeRole",
    "parameters",
    "Parameters",
    "Globals",
    "Resources",
    "Effect",
    "Principal",
    "Action",
    "Resource",
    "uses",
    "if",
    "runs-on",
];
/// Keys that people expect last: what follows a step, and long texts.
const LAST: &[&str] = &["mainSteps", "Script", "nextStep", "isEnd", "Outputs", "jobs", "steps", "run"];

fn rank(key: &str) -> (usize, usize) {
    let last = LAST.iter().position(|one| *one == key).map_or(0, |at| at + 1);
    (last, FIRST.iter().position(|one| *one == key).unwrap_or(FIRST.len()))
}

fn by_rank(a: &str, b: &str) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| a.cmp(b))
}

/// The same value with the keys of its maps sorted alphabetically.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            Value::Object(entries.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// JSON for people, with a line feed at its end.
pub fn json(value: &Value) -> String {
    format!("{:#}\n", sorted(value))
}

/// JSON without whitespace outside its strings.
pub fn compact_json(value: &Value) -> String {
    sorted(value).to_string()
}

/// YAML 1.2 that is also 1.1, which AWS reads: a string that could be read as another type is
/// quoted.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(&mut out, map, 0, false),
        other => out.push_str(&scalar(other)),
    }
    out
}

fn write_map(out: &mut String, map: &Map<String, Value>, indent: usize, continued: bool) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by(|(a, _), (b, _)| by_rank(a, b));
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 || !continued {
            pad(out, indent);
        }
        out.push_str(&text(key));
        out.push(':');
        write_value(out, value, indent);
    }
}

/// Writes the value of a key, on the same line or below it.
fn write_value(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write_map(out, map, indent + 2, false);
        }
        Value::Array(list) if !list.is_empty() => {
            out.push('\n');
            // Indented as deep as its key: a template's size is limited, and indentation is much of
            // it.
            write_list(out, list, indent);
        }
        Value::String(lines) if is_block(lines) => write_block(out, lines, indent + 2),
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn write_list(out: &mut String, list: &[Value], indent: usize) {
    for item in list {
        pad(out, indent);
        out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                out.push(' ');
                write_map(out, map, indent + 2, true);
            }
            other => write_value(out, other, indent + 2),
        }
    }
}

/// Whether a string has several lines and a literal block can hold it unchanged.
fn is_block(text: &str) -> bool {
    let plain = |c: char| c == '\n' || !c.is_control();
    text.trim_end_matches('\n').contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with("\n\n")
        && text.chars().all(plain)
        && text.lines().all(|line| line.trim_end() == line)
}

fn write_block(out: &mut String, text: &str, indent: usize) {
    out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
    for line in text.lines() {
        if !line.is_empty() {
            pad(out, indent);
        }
        out.push_str(line);
        out.push('\n');
    }
}

fn pad(out: &mut String, indent: usize) {
    let _ = write!(out, "{:indent$}", "");
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}

/// Words that YAML 1.1 reads as another type than a string.
const TAKEN: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

fn text(text: &str) -> String {
    let inside = |c: char| c.is_ascii_alphanumeric() || "_-./:=@+".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(inside)
        && !text.ends_with(':')
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str());
    // A JSON string is a double-quoted YAML string.
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_string_that_could_be_another_type_is_quoted() {
        for (text, written) in [
            ("Allow", "Allow"),
            ("aws:sleep", "aws:sleep"),
            ("Fn::GetAtt", "Fn::GetAtt"),
            ("/brownout/plan", "/brownout/plan"),
            ("2012-10-17", "\"2012-10-17\""),
            ("0.3", "\"0.3\""),
            ("on", "\"on\""),
            ("No", "\"No\""),
            ("a:", "\"a:\""),
            ("a: b", "\"a: b\""),
            ("{{ Plan }}", "\"{{ Plan }}\""),
            ("*", "\"*\""),
            ("", "\"\""),
            ("say \"a\"", "\"say \\\"a\\\"\""),
        ] {
            assert_eq!(scalar(&json!(text)), written, "{text}");
        }
    }

    #[test]
    fn maps_lists_and_blocks_are_below_their_key() {
        let value = json!({"mainSteps": [{"name": "a", "inputs": {"Script": "def f():\n  return 1\n"}}, "x"], "schemaVersion": "0.3", "none": {}, "no": []});
        let expected = "schemaVersion: \"0.3\"\n\"no\": []\nnone: {}\nmainSteps:\n- name: a\n  inputs:\n    Script: |\n      def f():\n        return 1\n- x\n";
        assert_eq!(yaml(&value), expected);
    }

    #[test]
    fn a_string_that_a_block_would_alter_is_quoted() {
        for text in ["a\n\n", " a\nb", "a \nb", "a\tb\nc", "\na\nb"] {
            assert!(!is_block(text), "{text:?}");
        }
    }

    #[test]
    fn json_keys_are_in_alphabetical_order() {
        assert_eq!(compact_json(&json!({"b": 1, "a": {"d": 1, "c": 2}})), r#"{"a":{"c":2,"d":1},"b":1}"#);
    }
}
