//! What refers to what: unknown names, unknown attributes and circles are complaints, as at AWS, and
//! a notice names the functions that may miss what is not served.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::findings::Findings;
use crate::functions::{Piece, attribute, function, pieces, sub_parts};
use crate::schema;

/// A reference to a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// Where it is, as complaints name places.
    pub(crate) place: String,
    /// The logical id.
    pub(crate) to: String,
    /// The attribute of `Fn::GetAtt`.
    pub(crate) attribute: Option<String>,
}

/// The references of every resource, and of the outputs under the name `Outputs`.
#[derive(Debug, Default)]
pub(crate) struct References(BTreeMap<String, Vec<Reference>>);

impl References {
    pub(crate) fn of(resources: &Map<String, Value>) -> Self {
        let mut all = BTreeMap::new();
        for (name, resource) in resources {
            let mut found = Vec::new();
            if let Some(properties) = resource.get("Properties") {
                collect(name, properties, &mut found);
            }
            let depends = resource.get("DependsOn");
            let depends = depends.into_iter().flat_map(|one| one.as_array().map_or(std::slice::from_ref(one), Vec::as_slice));
            found.extend(depends.filter_map(Value::as_str).map(|to| Reference {
                place: format!("{name}.DependsOn"),
                to: to.to_owned(),
                attribute: None,
            }));
            all.insert(name.clone(), found);
        }
        Self(all)
    }

    /// The references of a value that is no resource.
    pub(crate) fn of_value(place: &str, value: &Value) -> Vec<Reference> {
        let mut found = Vec::new();
        collect(place, value, &mut found);
        found
    }

    /// All references of resources.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Reference> {
        self.0.values().flatten()
    }

    fn from(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(|reference| reference.to.as_str())
    }

    /// The first circle that is found, as `a -> b -> a`. Source: CloudFormation refuses it with
    /// "Circular dependency between resources".
    pub(crate) fn circle(&self) -> Option<String> {
        let mut done = BTreeSet::new();
        for start in self.0.keys() {
            // The path to where the walk is, each with the neighbours that are left.
            let mut path: Vec<(&str, Vec<&str>)> = vec![(start, self.from(start).collect())];
            while let Some((_, left)) = path.last_mut() {
                let Some(next) = left.pop() else {
                    done.extend(path.pop().map(|(name, _)| name));
                    continue;
                };
                if let Some(begin) = path.iter().position(|(name, _)| *name == next) {
                    let names: Vec<_> = path.iter().skip(begin).map(|(name, _)| *name).chain([next]).collect();
                    return Some(names.join(" -> "));
                }
                if !done.contains(next) && self.0.contains_key(next) {
                    path.push((next, self.from(next).collect()));
                }
            }
        }
        None
    }

    /// The functions that may miss a resource: itself, those that refer to it, if need be through
    /// others, and those that it refers to, such as the function of an event source. The way does not
    /// lead through another function.
    pub(crate) fn functions_near(&self, resource: &str, is_function: impl Fn(&str) -> bool) -> Vec<String> {
        if is_function(resource) {
            return vec![resource.to_owned()];
        }
        let mut near: BTreeSet<&str> = self.from(resource).filter(|to| is_function(to)).collect();
        let (mut seen, mut open) = (BTreeSet::from([resource]), vec![resource]);
        while let Some(at) = open.pop() {
            for from in self.0.iter().filter(|(_, found)| found.iter().any(|reference| reference.to == at)).map(|(from, _)| from.as_str()) {
                if is_function(from) {
                    near.insert(from);
                } else if seen.insert(from) {
                    open.push(from);
                }
            }
        }
        near.into_iter().map(str::to_owned).collect()
    }
}

fn collect(place: &str, value: &Value, found: &mut Vec<Reference>) {
    let mut add = |to: &str, attribute: Option<String>| found.push(Reference { place: place.to_owned(), to: to.to_owned(), attribute });
    match function(value) {
        Some(("Ref", Value::String(name))) => add(name, None),
        Some(("Fn::GetAtt", argument)) => {
            if let Ok((resource, attribute)) = attribute(argument) {
                add(&resource, Some(attribute));
            }
        }
        Some(("Fn::Sub", argument)) => {
            let Ok((text, variables)) = sub_parts(argument) else { return };
            for piece in pieces(text) {
                match piece {
                    Piece::Variable(name) if !variables.contains_key(name) => match name.split_once('.') {
                        Some((resource, attribute)) => add(resource, Some(attribute.to_owned())),
                        None => add(name, None),
                    },
                    _ => {}
                }
            }
            for value in variables.values() {
                collect(place, value, found);
            }
        }
        _ => match value {
            Value::Array(list) => {
                for (index, one) in list.iter().enumerate() {
                    collect(&format!("{place}[{index}]"), one, found);
                }
            }
            Value::Object(fields) => {
                for (key, one) in fields {
                    collect(&format!("{place}.{key}"), one, found);
                }
            }
            _ => {}
        },
    }
}

/// Complains about references to what does not exist. `names` has what exists, by logical id and by
/// `Orders.Arn`; an attribute that AWS has and this platform has not gets a value of its own, with a
/// notice.
pub(crate) fn check(
    references: &[Reference],
    resources: &Map<String, Value>,
    names: &mut BTreeMap<String, String>,
    findings: &mut Findings,
) {
    for Reference { place, to, attribute } in references {
        // Pseudo parameters and parameters have no attributes.
        if names.contains_key(to) && attribute.is_none() {
            continue;
        }
        let Some(resource) = resources.get(to) else {
            if is_of_sam(to, resources) {
                continue;
            }
            findings.complain(place, format!("found `{to}`, which is neither a resource nor a parameter of the template"));
            continue;
        };
        let kind = resource.get("Type").and_then(Value::as_str).unwrap_or_default();
        let Some(attribute) = attribute else {
            names.insert(to.clone(), to.clone());
            continue;
        };
        let key = format!("{to}.{attribute}");
        let known = schema::find(kind).map(|known| &known.attributes);
        // A nested attribute, and what a custom resource returns, may be anything.
        let exists = known.is_none_or(|known| known.contains(attribute.as_str()) || attribute.contains('.'));
        if names.contains_key(&key) && exists {
            continue;
        }
        if let (Some(known), false) = (known, exists) {
            let all: Vec<_> = known.iter().copied().collect();
            findings.complain(place, format!("found `{attribute}`, which no `{kind}` has; there are: {}", all.join(", ")));
        } else {
            let value = stand_in(kind, to, attribute);
            findings.notice(place, format!("`{attribute}` of `{to}` ({kind}) is not known here; the value is `{value}`"));
            names.insert(key, value);
        }
    }
}

/// `Api.Stage` and the like name what the SAM transform makes of `Api`.
fn is_of_sam(name: &str, resources: &Map<String, Value>) -> bool {
    let declared = name.split_once('.').and_then(|(resource, _)| resources.get(resource)?.get("Type")?.as_str());
    declared.is_some_and(|kind| kind.starts_with("AWS::Serverless::"))
}

/// A value for an attribute that only AWS knows; an ARN has the form of one.
fn stand_in(kind: &str, name: &str, attribute: &str) -> String {
    if !attribute.ends_with("Arn") {
        return format!("{name}-{}", attribute.replace('.', "-"));
    }
    let service = kind.split("::").nth(1).unwrap_or_default().to_lowercase();
    crate::account::arn(&service, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resources(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn checked(value: Value) -> (Findings, BTreeMap<String, String>) {
        let (resources, mut findings) = (resources(value), Findings::default());
        let mut names = BTreeMap::from([
            ("AWS::Region".to_owned(), "r".to_owned()),
            ("Q".to_owned(), "q".to_owned()),
            ("Q.Arn".to_owned(), "arn".to_owned()),
        ]);
        let all: Vec<_> = References::of(&resources).all().cloned().collect();
        check(&all, &resources, &mut names, &mut findings);
        (findings, names)
    }

    #[test]
    fn an_unknown_name_or_attribute_is_a_complaint_at_its_place() {
        for (value, place, what) in [
            (json!({"Ref": "Nowhere"}), "F.Env.X", "`Nowhere`"),
            (json!([{"Fn::GetAtt": ["Nowhere", "Arn"]}]), "F.Env.X[0]", "`Nowhere`"),
            (json!({"Fn::Sub": "${Nowhere.Arn}-${AWS::Region}"}), "F.Env.X", "`Nowhere`"),
            (json!({"Fn::Sub": ["${a}", {"a": {"Ref": "Nowhere"}}]}), "F.Env.X", "`Nowhere`"),
            (json!({"Fn::Join": ["", ["a", {"Ref": "Nowhere"}]]}), "F.Env.X", "`Nowhere`"),
            (json!({"Fn::GetAtt": ["Q", "Url"]}), "F.Env.X", "there are: Arn"),
            (json!({"Fn::Sub": "${AWS::Region.Arn}"}), "F.Env.X", "AWS::Region"),
        ] {
            let (findings, _) = checked(json!({"Q": {"Type": "AWS::SQS::Queue"}, "F": {"Type": "T", "Properties": {"Env": {"X": value}}}}));
            let [complaint] = findings.complaints.as_slice() else { panic!("{value}: {findings:?}") };
            assert!(complaint.key.starts_with(place) && complaint.what.contains(what), "{value}: {complaint}");
        }
        let (findings, _) = checked(json!({"F": {"Type": "T", "DependsOn": ["Gone"]}}));
        assert_eq!(findings.complaints[0].key, "F.DependsOn");
    }

    #[test]
    fn what_only_aws_knows_gets_a_value_and_a_notice() {
        let (findings, names) = checked(json!({
            "Q": {"Type": "AWS::SQS::Queue"}, "Vpc": {"Type": "AWS::EC2::VPC"},
            "F": {"Type": "T", "Properties": {"A": {"Fn::GetAtt": ["Q", "Arn"]}, "B": {"Ref": "Vpc"}, "C": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}, "D": {"Fn::GetAtt": ["Q", "DelaySeconds"]}}},
        }));
        assert_eq!((findings.complaints.len(), findings.notices.len()), (0, 2), "{findings:?}");
        assert_eq!((names["Vpc"].as_str(), names["Vpc.CidrBlock"].as_str()), ("Vpc", "Vpc-CidrBlock"));
    }

    #[test]
    fn a_circle_is_found_and_a_diamond_is_none() {
        for (links, circle) in [
            (json!({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}), None),
            (json!({"a": ["b"], "b": ["c"], "c": ["b"]}), Some("b -> c -> b")),
            (json!({"a": ["a"]}), Some("a -> a")),
            (json!({"a": ["gone"]}), None),
        ] {
            let refs = |to: &Value| to.as_array().unwrap().iter().map(|to| json!({"Ref": to})).collect::<Vec<_>>();
            let resources: Map<_, _> =
                links.as_object().unwrap().iter().map(|(name, to)| (name.clone(), json!({"Properties": {"To": refs(to)}}))).collect();
            assert_eq!(References::of(&resources).circle().as_deref(), circle, "{links}");
        }
    }

    #[test]
    fn the_functions_that_may_miss_a_resource_are_found_in_both_directions() {
        let refs = |names: &[&str]| json!({"Properties": {"To": names.iter().map(|name| json!({"Ref": name})).collect::<Vec<_>>()}});
        let references = References::of(&resources(json!({
            "F1": refs(&["Role"]), "Role": refs(&["Cache"]), "Cache": refs(&[]), "F2": refs(&["F1"]), "Rule": refs(&["F3"]), "F3": refs(&[]),
        })));
        let is_function = |name: &str| name.starts_with('F');
        for (resource, functions) in [("Cache", vec!["F1"]), ("Rule", vec!["F3"]), ("F2", vec!["F2"]), ("Other", vec![])] {
            assert_eq!(references.functions_near(resource, is_function), functions, "{resource}");
        }
    }
}
