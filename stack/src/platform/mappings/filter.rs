//! Filter patterns of event source mappings: which records a function wants. Pure; a pattern that
//! is not understood is refused, never guessed. Source: Lambda, "Control which events Lambda sends
//! to your function"; what it does not specify works as in EventBridge's event patterns.

use serde_json::{Map, Value};

/// The patterns of one mapping, of which one must match; without patterns everything matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Vec<Object>);

/// The conditions on an object: every field, and one of each `$or`.
#[derive(Debug, Clone, PartialEq)]
struct Object {
    fields: Vec<(String, Test)>,
    either: Vec<Vec<Object>>,
}

/// The conditions on a field.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    Within(Object),
    AnyOf(Vec<Condition>),
}

/// The conditions on a value.
#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Is(Value),
    Prefix(String),
    PrefixInAnyCase(String),
    Suffix(String),
    SuffixInAnyCase(String),
    InAnyCase(String),
    NoneOf(Vec<Condition>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Filter {
    /// Reads patterns.
    ///
    /// # Errors
    /// What is not understood in one of them, and where.
    pub fn read(patterns: &[Value]) -> Result<Self, String> {
        patterns.iter().map(|pattern| Object::read(pattern, "pattern")).collect::<Result<_, _>>().map(Self)
    }

    /// True if there is no pattern.
    pub fn takes_all(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the function wants the record.
    pub fn takes(&self, record: &Value) -> bool {
        self.takes_all() || self.0.iter().any(|pattern| pattern.matches(record.as_object()))
    }
}

impl Object {
    fn read(pattern: &Value, at: &str) -> Result<Self, String> {
        let Some(pattern) = pattern.as_object().filter(|pattern| !pattern.is_empty()) else {
            return Err(format!("`{at}`: found `{pattern}`, expected an object that asks something"));
        };
        let (mut fields, mut either) = (Vec::new(), Vec::new());
        for (name, value) in pattern {
            let at = format!("{at}.{name}");
            match value {
                Value::Array(patterns) if name == "$or" => {
                    if patterns.len() < 2 {
                        return Err(format!("`{at}`: found {} pattern, expected two or more", patterns.len()));
                    }
                    either.push(patterns.iter().map(|one| Self::read(one, &at)).collect::<Result<_, _>>()?);
                }
                Value::Array(conditions) if !conditions.is_empty() => {
                    let conditions = conditions.iter().map(|one| Condition::read(one, &at)).collect::<Result<_, _>>()?;
                    fields.push((name.clone(), Test::AnyOf(conditions)));
                }
                Value::Object(_) if name != "$or" => fields.push((name.clone(), Test::Within(Self::read(value, &at)?))),
                other => return Err(format!("`{at}`: found `{other}`, expected an array of what the value may be")),
            }
        }
        Ok(Self { fields, either })
    }

    /// `None` is a missing object, which can only match conditions of absence.
    fn matches(&self, event: Option<&Map<String, Value>>) -> bool {
        let fields = self.fields.iter().all(|(name, test)| test.matches(event.and_then(|event| event.get(name))));
        fields && self.either.iter().all(|patterns| patterns.iter().any(|pattern| pattern.matches(event)))
    }
}

impl Test {
    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Within(object), None) => object.matches(None),
            (Self::Within(object), Some(Value::Object(event))) => object.matches(Some(event)),
            (Self::Within(_), Some(Value::Array(values))) => values.iter().any(|value| self.matches(Some(value))),
            (Self::Within(_), Some(_)) => false,
            (Self::AnyOf(conditions), value) => {
                let mut leaves = Vec::new();
                collect_leaves(value, &mut leaves);
                if leaves.is_empty() {
                    conditions.contains(&Condition::Exists(false))
                } else {
                    leaves.iter().any(|leaf| conditions.iter().any(|condition| condition.matches(leaf)))
                }
            }
        }
    }
}

/// The values that conditions check: the value itself, or the elements of an array; never an
/// object.
fn collect_leaves<'a>(value: Option<&'a Value>, leaves: &mut Vec<&'a Value>) {
    match value {
        None | Some(Value::Object(_)) => {}
        Some(Value::Array(values)) => values.iter().for_each(|value| collect_leaves(Some(value), leaves)),
        Some(leaf) => leaves.push(leaf),
    }
}

impl Condition {
    fn read(condition: &Value, at: &str) -> Result<Self, String> {
        let Some(operator) = condition.as_object() else {
            let plain = !condition.is_array();
            return plain.then(|| Self::Is(condition.clone())).ok_or_else(|| format!("`{at}`: found an array within an array"));
        };
        let mut entries = operator.iter();
        let (Some((name, value)), None) = (entries.next(), entries.next()) else {
            return Err(format!("`{at}`: found `{condition}`, expected one operator"));
        };
        let at = format!("{at}.{name}");
        match name.as_str() {
            "prefix" => Self::affix(value, &at, Self::Prefix, Self::PrefixInAnyCase),
            "suffix" => Self::affix(value, &at, Self::Suffix, Self::SuffixInAnyCase),
            "equals-ignore-case" => text(value, &at).map(Self::InAnyCase),
            "anything-but" => Self::anything_but(value, &at).map(Self::NoneOf),
            "numeric" => numeric(value, &at).map(Self::Numeric),
            "exists" => value.as_bool().map(Self::Exists).ok_or_else(|| format!("`{at}`: found `{value}`, expected `true` or `false`")),
            _ => Err(format!(
                "`{at}`: there is no such operator; there are: prefix, suffix, equals-ignore-case, anything-but, numeric, exists"
            )),
        }
    }

    fn affix(value: &Value, at: &str, exact: fn(String) -> Self, in_any_case: fn(String) -> Self) -> Result<Self, String> {
        match value.get("equals-ignore-case") {
            Some(inner) if value.as_object().is_some_and(|value| value.len() == 1) => text(inner, at).map(|text| in_any_case(lower(&text))),
            _ => text(value, at).map(exact),
        }
    }

    /// One value, several, or an operator with one or several texts.
    fn anything_but(value: &Value, at: &str) -> Result<Vec<Self>, String> {
        let one_or_more = |value: &Value| match value {
            Value::Array(values) if !values.is_empty() => Ok(values.clone()),
            Value::Array(_) => Err(format!("`{at}`: found an empty array")),
            one => Ok(vec![one.clone()]),
        };
        let Some(operator) = value.as_object() else {
            let values = one_or_more(value)?;
            let plain = values.iter().all(|value| value.is_string() || value.is_number());
            return plain
                .then(|| values.into_iter().map(Self::Is).collect())
                .ok_or_else(|| format!("`{at}`: found `{value}`, expected texts or numbers"));
        };
        let mut conditions = Vec::new();
        for (name, value) in operator {
            if !matches!(name.as_str(), "prefix" | "suffix" | "equals-ignore-case") {
                return Err(format!("`{at}.{name}`: there is no such operator here; there are: prefix, suffix, equals-ignore-case"));
            }
            for value in one_or_more(value)? {
                conditions.push(Self::read(&Value::Object(Map::from_iter([(name.clone(), value)])), at)?);
            }
        }
        if conditions.is_empty() { Err(format!("`{at}`: found an empty object")) } else { Ok(conditions) }
    }

    fn matches(&self, value: &Value) -> bool {
        let text = |holds: &dyn Fn(&str) -> bool| value.as_str().is_some_and(holds);
        match self {
            Self::Is(wanted) => value == wanted,
            Self::Prefix(wanted) => text(&|text| text.starts_with(wanted)),
            Self::PrefixInAnyCase(wanted) => text(&|text| lower(text).starts_with(wanted)),
            Self::Suffix(wanted) => text(&|text| text.ends_with(wanted)),
            Self::SuffixInAnyCase(wanted) => text(&|text| lower(text).ends_with(wanted)),
            Self::InAnyCase(wanted) => text(&|text| lower(text) == lower(wanted)),
            Self::NoneOf(conditions) => !conditions.iter().any(|condition| condition.matches(value)),
            Self::Numeric(bounds) => {
                value.as_f64().is_some_and(|number| bounds.iter().all(|(comparison, bound)| comparison.holds(number, *bound)))
            }
            Self::Exists(wanted) => *wanted,
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::AtMost => number <= bound,
            Self::Greater => number > bound,
            Self::AtLeast => number >= bound,
        }
    }
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

fn text(value: &Value, at: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{at}`: found `{value}`, expected a text"))
}

fn numeric(value: &Value, at: &str) -> Result<Vec<(Comparison, f64)>, String> {
    let wrong = || format!("`{at}`: found `{value}`, expected for example `[\">\", 0, \"<=\", 5]`");
    let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    if !matches!(parts.len(), 2 | 4) {
        return Err(wrong());
    }
    let pairs = parts.chunks_exact(2).map(|pair| {
        let [comparison, bound] = pair else { return None };
        let comparison = match comparison.as_str()? {
            "=" => Comparison::Equal,
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            ">" => Comparison::Greater,
            ">=" => Comparison::AtLeast,
            _ => return None,
        };
        Some((comparison, bound.as_f64()?))
    });
    pairs.collect::<Option<_>>().ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_passes_if_a_pattern_matches() {
        let service = json!({ "userIdentity": { "type": ["Service"], "principalId": ["dynamodb.amazonaws.com"] } });
        let expired = json!({ "userIdentity": { "type": "Service", "principalId": "dynamodb.amazonaws.com" }, "eventName": "REMOVE" });
        let by_hand = json!({ "eventName": "REMOVE" });
        let a = |value: Value| json!({ "a": value });
        let either = json!({ "$or": [{ "a": [1] }, { "b": { "c": [2] } }] });
        let cases = [
            (service.clone(), expired.clone(), true),
            (service.clone(), by_hand.clone(), false),
            (service, json!({ "userIdentity": { "type": "Service" } }), false),
            (a(json!(["x", "y"])), a(json!("y")), true),
            (a(json!(["x", "y"])), a(json!("Y")), false),
            (a(json!(["x"])), a(json!(["w", "x"])), true),
            (a(json!([3])), a(json!(3)), true),
            (a(json!([3])), a(json!("3")), false),
            (a(json!([null])), a(json!(null)), true),
            (a(json!([null])), json!({}), false),
            (a(json!([""])), a(json!("")), true),
            (a(json!([{ "prefix": "us-" }])), a(json!("us-east-1")), true),
            (a(json!([{ "prefix": "us-" }])), a(json!("eu-us-")), false),
            (a(json!([{ "prefix": { "equals-ignore-case": "US-" } }])), a(json!("us-east-1")), true),
            (a(json!([{ "suffix": ".png" }])), a(json!("x.png")), true),
            (a(json!([{ "suffix": ".png" }])), a(json!("x.PNG")), false),
            (a(json!([{ "suffix": { "equals-ignore-case": ".png" } }])), a(json!("x.PNG")), true),
            (a(json!([{ "equals-ignore-case": "Jane" }])), a(json!("jANE")), true),
            (a(json!([{ "anything-but": ["x", "y"] }])), a(json!("z")), true),
            (a(json!([{ "anything-but": ["x", "y"] }])), a(json!("x")), false),
            (a(json!([{ "anything-but": 5 }])), a(json!(6)), true),
            (a(json!([{ "anything-but": "x" }])), json!({}), false),
            (a(json!([{ "anything-but": { "prefix": ["x", "y"] } }])), a(json!("yes")), false),
            (a(json!([{ "anything-but": { "suffix": "s" } }])), a(json!("no")), true),
            (a(json!([{ "numeric": ["=", 5] }])), a(json!(5.0)), true),
            (a(json!([{ "numeric": [">", 0, "<=", 5] }])), a(json!(5)), true),
            (a(json!([{ "numeric": [">", 0, "<", 5] }])), a(json!(5)), false),
            (a(json!([{ "numeric": [">=", 0] }])), a(json!("1")), false),
            (a(json!([{ "exists": true }])), a(json!(0)), true),
            (a(json!([{ "exists": true }])), json!({}), false),
            (a(json!([{ "exists": false }])), json!({}), true),
            (a(json!([{ "exists": false }])), a(json!(null)), false),
            (a(json!({ "b": [{ "exists": false }] })), json!({}), true),
            (a(json!({ "b": [{ "exists": false }] })), a(json!("no object")), false),
            (a(json!({ "b": ["x"] })), a(json!([{ "b": "w" }, { "b": "x" }])), true),
            (either.clone(), json!({ "b": { "c": 2 } }), true),
            (either.clone(), json!({ "a": 1 }), true),
            (either, json!({ "a": 2 }), false),
            (json!({ "a": [1], "$or": [{ "b": [2] }, { "b": [3] }] }), json!({ "a": 0, "b": 2 }), false),
        ];
        for (pattern, record, taken) in cases {
            let filter = Filter::read(std::slice::from_ref(&pattern)).unwrap();
            assert_eq!(filter.takes(&record), taken, "{pattern} of {record}");
        }
    }

    #[test]
    fn one_matching_pattern_is_enough_and_without_patterns_everything_passes() {
        let two = Filter::read(&[json!({ "a": [1] }), json!({ "b": [2] })]).unwrap();
        for (record, taken) in [(json!({ "b": 2 }), true), (json!({ "a": 1, "b": 3 }), true), (json!({ "a": 2 }), false)] {
            assert_eq!(two.takes(&record), taken, "{record}");
        }
        assert!(Filter::read(&[]).unwrap().takes(&json!({ "a": 7 })));
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        let cases = [
            (json!({}), "`pattern`"),
            (json!("x"), "`pattern`"),
            (json!({ "a": "x" }), "`pattern.a`"),
            (json!({ "a": [] }), "`pattern.a`"),
            (json!({ "a": {} }), "`pattern.a`"),
            (json!({ "a": [["x"]] }), "`pattern.a`"),
            (json!({ "a": { "b": [{ "wildcard": "*" }] } }), "`pattern.a.b.wildcard`"),
            (json!({ "a": [{ "prefix": 5 }] }), "`pattern.a.prefix`"),
            (json!({ "a": [{ "prefix": "x", "suffix": "y" }] }), "`pattern.a`"),
            (json!({ "a": [{ "exists": "yes" }] }), "`pattern.a.exists`"),
            (json!({ "a": [{ "numeric": [">"] }] }), "`pattern.a.numeric`"),
            (json!({ "a": [{ "numeric": ["~", 5] }] }), "`pattern.a.numeric`"),
            (json!({ "a": [{ "anything-but": [] }] }), "`pattern.a.anything-but`"),
            (json!({ "a": [{ "anything-but": { "numeric": ["=", 1] } }] }), "`pattern.a.anything-but.numeric`"),
            (json!({ "$or": [{ "a": [1] }] }), "`pattern.$or`"),
            (json!({ "$or": { "a": [1] } }), "`pattern.$or`"),
        ];
        for (pattern, place) in cases {
            let why = Filter::read(std::slice::from_ref(&pattern)).unwrap_err();
            assert!(why.starts_with(&format!("{place}:")), "{pattern}: {why}");
        }
    }
}
