//! What a target gets of an event. Pure. Sources: EventBridge user guide, "Amazon EventBridge input
//! transformation"; API reference, `Target`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use template::blueprint::Given;

/// The names that a template can use besides its own.
pub struct Around<'a> {
    /// The rule's ARN.
    pub rule_arn: &'a str,
    /// The rule's name.
    pub rule: &'a str,
}

/// The text for the target; `None` if a path finds nothing, or if a template that begins as JSON
/// does not become JSON.
pub fn given(given: &Given, event: &Value, around: &Around<'_>) -> Option<String> {
    match given {
        Given::Event => Some(event.to_string()),
        Given::Text(text) => Some(text.clone()),
        Given::Path(path) => find(event, path).map(Value::to_string),
        Given::Transformed { paths, template } => {
            let text = fill(template, &|name| variable(name, event, paths, around));
            let is_json = template.trim_start().starts_with(['{', '[']);
            (!is_json || serde_json::from_str::<Value>(&text).is_ok()).then_some(text)
        }
    }
}

/// The value of a path in dot notation with indices: `$.detail.items[0].id`.
pub fn find<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    let mut found = event;
    for step in path.strip_prefix('$')?.split('.').skip(1) {
        let mut parts = step.split('[');
        let name = parts.next()?;
        found = found.get(name)?;
        for index in parts {
            found = found.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
        }
    }
    Some(found)
}

fn variable(name: &str, event: &Value, paths: &BTreeMap<String, String>, around: &Around<'_>) -> Option<Value> {
    match name {
        "aws.events.rule-arn" => Some(json!(around.rule_arn)),
        "aws.events.rule-name" => Some(json!(around.rule)),
        "aws.events.event.ingestion-time" => event.get("time").cloned(),
        "aws.events.event.json" => Some(event.clone()),
        "aws.events.event" => {
            let mut event = event.clone();
            event.as_object_mut()?.remove("detail");
            Some(event)
        }
        // A path that finds nothing leaves nothing.
        _ => paths.get(name).map(|path| find(event, path).cloned().unwrap_or(Value::String(String::new()))),
    }
}

/// Puts variables into a template. Within quotes only their text is put, elsewhere they are JSON;
/// what is not a variable is left as it is.
fn fill(template: &str, variable: &dyn Fn(&str) -> Option<Value>) -> String {
    let (mut filled, mut rest, mut quoted) = (String::new(), template, false);
    while let Some(at) = rest.find(['<', '"', '\\']) {
        let (before, here) = rest.split_at(at);
        filled += before;
        let found = here.strip_prefix('<').and_then(|name| name.split_once('>')).and_then(|(name, after)| Some((variable(name)?, after)));
        rest = match found {
            Some((value, after)) => {
                filled += &if quoted { within_quotes(&value) } else { value.to_string() };
                after
            }
            None => {
                let mut letters = here.chars();
                let letter = letters.next().unwrap_or_default();
                filled.push(letter);
                match letter {
                    '"' => quoted = !quoted,
                    // What is escaped neither begins nor ends a text.
                    '\\' => filled.extend(letters.next()),
                    _ => {}
                }
                letters.as_str()
            }
        };
    }
    filled + rest
}

fn within_quotes(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let escaped = Value::String(text).to_string();
    escaped.get(1..escaped.len() - 1).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_gets_the_event_a_part_of_it_or_a_text() {
        let event =
            json!({"id": "e", "time": "t", "detail": {"instance": "i-1", "state": "run\"ning", "n": 7, "all": [{"a": 1}, {"a": 2}]}});
        let around = Around { rule_arn: "arn:rule", rule: "r" };
        let transformed = |template: &str| Given::Transformed {
            paths: [
                ("instance", "$.detail.instance"),
                ("state", "$.detail.state"),
                ("n", "$.detail.n"),
                ("second", "$.detail.all[1]"),
                ("none", "$.detail.none"),
            ]
            .map(|(name, path)| (name.to_owned(), path.to_owned()))
            .into(),
            template: template.to_owned(),
        };
        for (how, expected) in [
            (Given::Event, Some(event.to_string())),
            (Given::Text("{\"fixed\":true}".into()), Some("{\"fixed\":true}".into())),
            (Given::Path("$.detail.all[1].a".into()), Some("2".into())),
            (Given::Path("$.detail.gone".into()), None),
            (Given::Path("$".into()), Some(event.to_string())),
            (transformed("\"<instance> is <state>\""), Some(r#""i-1 is run\"ning""#.into())),
            (
                transformed(r#"{"i": <instance>, "n": <n>, "o": <second>, "t": "\"<n>\" <b>"}"#),
                Some(r#"{"i": "i-1", "n": 7, "o": {"a":2}, "t": "\"7\" <b>"}"#.into()),
            ),
            (
                transformed(r#"{"rule": <aws.events.rule-name>, "arn": "<aws.events.rule-arn>"}"#),
                Some(r#"{"rule": "r", "arn": "arn:rule"}"#.into()),
            ),
            (transformed(r#"{"e": <aws.events.event>, "none": "<none>"}"#), Some(r#"{"e": {"id":"e","time":"t"}, "none": ""}"#.into())),
            (transformed(r#"{"a": <instance>"#), None),
            (transformed("1 < 2 and <instance>"), Some("1 < 2 and \"i-1\"".into())),
        ] {
            assert_eq!(given(&how, &event, &around), expected, "{how:?}");
        }
    }
}
