//! Conditions, `Fn::If` and `AWS::NoValue`: resolves a template once its parameters are known, so
//! that later readers meet none of the three. A condition that is not understood is a complaint and
//! removes nothing.

use std::collections::BTreeMap;

use faults::Complaint;
use serde_json::{Map, Value};

use super::intrinsics::Names;

/// A condition may name another; a chain longer than this must be a cycle.
const DEEPEST: usize = 32;

/// The resources and globals of the template, with all conditions resolved.
pub(super) fn resolve(template: &Value, names: &Names, complaints: &mut Vec<Complaint>) -> (Map<String, Value>, Map<String, Value>) {
    let section = |name: &str| template.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let declared = section("Conditions");
    let mut holds = BTreeMap::new();
    for (name, condition) in &declared {
        match evaluate(condition, &declared, names, 0) {
            Ok(value) => drop(holds.insert(name.clone(), value)),
            Err(why) => complaints.push(Complaint::new(format!("Conditions.{name}"), why)),
        }
    }
    let mut pruning = Pruning { holds: &holds, complaints };
    let mut resources = Map::new();
    for (resource, mut value) in section("Resources") {
        let condition = value.as_object_mut().and_then(|fields| fields.remove("Condition"));
        if condition.is_none_or(|condition| pruning.is_true(&resource, &condition))
            && let Some(value) = pruning.prune(&resource, value)
        {
            resources.insert(resource, value);
        }
    }
    let globals =
        section("Globals").into_iter().filter_map(|(key, value)| Some((key.clone(), pruning.prune(&format!("Globals.{key}"), value)?)));
    (resources, globals.collect())
}

fn evaluate(condition: &Value, declared: &Map<String, Value>, names: &Names, depth: usize) -> Result<bool, String> {
    if depth > DEEPEST {
        return Err("it names itself".to_owned());
    }
    let (kind, argument) = single(condition).ok_or_else(|| format!("found `{condition}`, expected one function"))?;
    let each = |arguments: &[Value]| arguments.iter().map(|one| evaluate(one, declared, names, depth + 1)).collect::<Result<Vec<_>, _>>();
    match (kind, argument) {
        ("Condition", Value::String(name)) => {
            let named = declared.get(name).ok_or_else(|| format!("found `{name}`, which is no condition of the template"))?;
            evaluate(named, declared, names, depth + 1)
        }
        ("Fn::Equals", Value::Array(both)) => match both.as_slice() {
            [one, other] => Ok(names.text(one)? == names.text(other)?),
            _ => Err("expected two values in `Fn::Equals`".to_owned()),
        },
        ("Fn::Not", Value::Array(one)) if one.len() == 1 => Ok(each(one)?.iter().all(|holds| !holds)),
        ("Fn::And", Value::Array(all)) => Ok(each(all)?.into_iter().all(|holds| holds)),
        ("Fn::Or", Value::Array(all)) => Ok(each(all)?.into_iter().any(|holds| holds)),
        _ => Err(format!("found `{kind}`, there are: Condition, Fn::Equals, Fn::Not (of one), Fn::And, Fn::Or")),
    }
}

/// The only field of a map with exactly one.
fn single(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(name, value)| (name.as_str(), value))
}

struct Pruning<'a> {
    holds: &'a BTreeMap<String, bool>,
    complaints: &'a mut Vec<Complaint>,
}

impl Pruning<'_> {
    fn is_true(&mut self, path: &str, condition: &Value) -> bool {
        let known = condition.as_str().and_then(|name| self.holds.get(name).copied());
        if known.is_none() {
            self.complaints.push(Complaint::new(path, format!("found {condition}, which is no condition that can be told here")));
        }
        known.unwrap_or(true)
    }

    /// A value after conditions; `None` if it is `AWS::NoValue`.
    fn prune(&mut self, path: &str, value: Value) -> Option<Value> {
        match (single(&value), &value) {
            (Some(("Ref", Value::String(name))), _) if name == "AWS::NoValue" => None,
            (Some(("Fn::If", argument)), _) => {
                let [condition, yes, no] = argument.as_array().map(Vec::as_slice).unwrap_or_default() else {
                    self.complaints.push(Complaint::new(path, "expected a condition and two values in `Fn::If`"));
                    return None;
                };
                let chosen = if self.is_true(path, condition) { yes } else { no };
                self.prune(path, chosen.clone())
            }
            (_, Value::Array(_) | Value::Object(_)) => match value {
                Value::Array(list) => Some(Value::Array(list.into_iter().filter_map(|one| self.prune(path, one)).collect())),
                Value::Object(fields) => {
                    let kept = fields.into_iter().filter_map(|(key, value)| {
                        let value = self.prune(&format!("{path}.{key}"), value)?;
                        Some((key, value))
                    });
                    Some(Value::Object(kept.collect()))
                }
                other => Some(other),
            },
            _ => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(layer: &str) -> Names {
        Names([("Layer".to_owned(), layer.to_owned())].into())
    }

    fn template(conditions: Value, property: Value) -> Value {
        json!({
            "Conditions": conditions,
            "Resources": {"A": {"Condition": "With", "Type": "x"}, "B": {"Properties": {"P": property, "Q": 1}}},
        })
    }

    #[test]
    fn a_false_condition_removes_its_resource() {
        let with = json!({"With": {"Fn::Not": [{"Condition": "Without"}]}, "Without": {"Fn::Equals": [{"Ref": "Layer"}, ""]}});
        let property = json!({"Fn::If": ["With", [{"Ref": "Layer"}], {"Ref": "AWS::NoValue"}]});
        for (layer, resources) in [
            ("", json!({"B": {"Properties": {"Q": 1}}})),
            ("arn", json!({"A": {"Type": "x"}, "B": {"Properties": {"P": [{"Ref": "Layer"}], "Q": 1}}})),
        ] {
            let mut complaints = Vec::new();
            let (left, _) = resolve(&template(with.clone(), property.clone()), &names(layer), &mut complaints);
            assert_eq!((Value::Object(left), complaints.len()), (resources, 0), "{layer}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_a_complaint() {
        let fine = json!({"With": {"Fn::And": [{"Fn::Equals": ["a", "a"]}, {"Fn::Or": [{"Fn::Equals": ["a", "b"]}]}]}});
        let choice = |condition: &str| json!({"Fn::If": [condition, 1, 2]});
        for (conditions, property, path) in [
            (json!({}), json!(1), "A"),
            (fine.clone(), choice("None"), "B.Properties.P"),
            (fine.clone(), json!({"Fn::If": ["With", 1]}), "B.Properties.P"),
            (json!({"With": {"Condition": "With"}}), json!(1), "Conditions.With"),
            (json!({"With": {"Fn::Equals": [{"Ref": "Nobody"}, ""]}}), json!(1), "Conditions.With"),
            (json!({"With": {"Fn::Contains": []}}), json!(1), "Conditions.With"),
        ] {
            let mut complaints = Vec::new();
            let _ = resolve(&template(conditions.clone(), property.clone()), &names(""), &mut complaints);
            let found = complaints.iter().any(|complaint| complaint.to_string().contains(path));
            assert!(found, "{conditions} {property}: {complaints:?}");
        }
    }
}
