//! `Conditions`: whether each holds, once the parameters are known. A condition that cannot be told
//! is a complaint.

use serde_json::{Map, Value};

use crate::functions::{single, text};
use crate::resolve::Resolver;

/// A condition may name another; a chain longer than this must be a circle.
const DEEPEST: usize = 128;

/// Evaluates every condition of the template.
pub(crate) fn evaluate_all(declared: &Map<String, Value>, resolver: &mut Resolver<'_>) {
    for (name, condition) in declared {
        match evaluate(condition, declared, resolver, 0) {
            Ok(holds) => drop(resolver.conditions.insert(name.clone(), holds)),
            Err(why) => resolver.complain(&format!("Conditions.{name}"), why),
        }
    }
}

fn evaluate(condition: &Value, declared: &Map<String, Value>, resolver: &mut Resolver<'_>, depth: usize) -> Result<bool, String> {
    if depth > DEEPEST {
        return Err("it names itself".to_owned());
    }
    let (kind, argument) = single(condition).ok_or_else(|| format!("found `{condition}`, expected one function"))?;
    match (kind, argument) {
        ("Condition", Value::String(name)) => {
            if let Some(holds) = resolver.conditions.get(name) {
                return Ok(*holds);
            }
            let named = declared.get(name).ok_or_else(|| format!("found `{name}`, which is no condition of the template"))?;
            let holds = evaluate(named, declared, resolver, depth + 1)?;
            // Else a few conditions of ten others each would take for ever.
            resolver.conditions.insert(name.clone(), holds);
            Ok(holds)
        }
        ("Fn::Equals", Value::Array(both)) => match both.as_slice() {
            [one, other] => Ok(compared(one, resolver)? == compared(other, resolver)?),
            _ => Err("expected two values in `Fn::Equals`".to_owned()),
        },
        ("Fn::Not", Value::Array(one)) if one.len() == 1 => Ok(!each(one, declared, resolver, depth)?.contains(&true)),
        ("Fn::And", Value::Array(all)) if counted(all) => Ok(!each(all, declared, resolver, depth)?.contains(&false)),
        ("Fn::Or", Value::Array(all)) if counted(all) => Ok(each(all, declared, resolver, depth)?.contains(&true)),
        ("Fn::Not" | "Fn::And" | "Fn::Or", _) => {
            Err(format!("expected {} in `{kind}`", if kind == "Fn::Not" { "one condition" } else { "2 to 10 conditions" }))
        }
        _ => Err(format!("found `{kind}`, there are: Condition, Fn::Equals, Fn::Not, Fn::And, Fn::Or")),
    }
}

/// Source: CloudFormation User Guide, condition functions.
fn counted(all: &[Value]) -> bool {
    (2..=10).contains(&all.len())
}

fn each(all: &[Value], declared: &Map<String, Value>, resolver: &mut Resolver<'_>, depth: usize) -> Result<Vec<bool>, String> {
    all.iter().map(|one| evaluate(one, declared, resolver, depth + 1)).collect()
}

/// A value of `Fn::Equals`: numbers and booleans are compared as text.
fn compared(value: &Value, resolver: &mut Resolver<'_>) -> Result<Value, String> {
    let before = resolver.complaints.len();
    let resolved = resolver.resolve("Conditions", value);
    if resolver.complaints.len() > before {
        let first = resolver.complaints.drain(before..).next();
        return Err(first.map(|complaint| complaint.what).unwrap_or_default());
    }
    let resolved = resolved.unwrap_or_default();
    if !crate::functions::is_plain(&resolved) {
        return Err(format!("found `{resolved}`, a condition can only use parameters and mappings"));
    }
    Ok(text(&resolved).map_or(resolved, Value::String))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::testing::resolver;
    use serde_json::json;

    fn holds(condition: Value) -> Result<bool, String> {
        let declared = json!({"With": condition, "Yes": {"Fn::Equals": ["a", "a"]}, "No": {"Fn::Not": [{"Condition": "Yes"}]}, "Self": {"Condition": "Self"}});
        let mut resolver = resolver();
        evaluate_all(declared.as_object().unwrap(), &mut resolver);
        resolver.conditions.get("With").copied().ok_or_else(|| format!("{:?}", resolver.complaints))
    }

    #[test]
    fn conditions_hold_as_at_aws() {
        for (condition, expected) in [
            (json!({"Fn::Equals": [{"Ref": "Stage"}, "dev"]}), true),
            (json!({"Fn::Equals": [{"Ref": "Count"}, 3]}), true),
            (json!({"Fn::Equals": [true, "true"]}), true),
            (json!({"Fn::Equals": ["a", "A"]}), false),
            (json!({"Fn::Equals": [{"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "Size"]}, "small"]}), true),
            (json!({"Fn::Equals": [{"Fn::Select": [0, {"Ref": "List"}]}, "a"]}), true),
            (json!({"Fn::Equals": [{"Fn::Join": ["", {"Ref": "List"}]}, "abc"]}), true),
            (json!({"Fn::And": [{"Condition": "Yes"}, {"Condition": "No"}]}), false),
            (json!({"Fn::Or": [{"Condition": "Yes"}, {"Condition": "No"}]}), true),
            (json!({"Fn::Not": [{"Fn::Or": [{"Condition": "No"}, {"Condition": "No"}]}]}), true),
            (json!({"Condition": "Yes"}), true),
        ] {
            assert_eq!(holds(condition.clone()), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_a_complaint() {
        for condition in [
            json!({"Condition": "Self"}),
            json!({"Condition": "Other"}),
            json!({"Fn::Equals": [{"Ref": "Table"}, ""]}),
            json!({"Fn::Equals": ["a"]}),
            json!({"Fn::Contains": []}),
            json!({"Fn::And": [{"Condition": "Yes"}]}),
            json!({"Fn::Not": [{"Condition": "Yes"}, {"Condition": "No"}]}),
            json!({"Fn::Equals": [{"Fn::FindInMap": ["Sizes", "x", "y"]}, ""]}),
            json!(true),
        ] {
            assert!(holds(condition.clone()).is_err(), "{condition}");
        }
    }
}
