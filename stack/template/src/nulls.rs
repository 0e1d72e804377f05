//! CloudFormation refuses a template with a `null`, such as a key without a value. Source: its error
//! "'null' values are not allowed in templates" (aws-cloudformation/cfn-lint issue 38). What SAM reads
//! may have some: a state machine's `Definition` becomes text. `AWS::LanguageExtensions` removes them.
//! Source: aws-cloudformation/cfn-language-discussion issue 100.

use serde_json::{Map, Value};

use crate::findings::Findings;

/// Complains about every `null` that reaches CloudFormation.
pub(crate) fn check(root: &Map<String, Value>, findings: &mut Findings) {
    for (section, value) in root {
        match (section.as_str(), value) {
            ("Resources", Value::Object(resources)) => {
                for (name, resource) in resources.iter().filter(|(_, resource)| !is_of_sam(resource)) {
                    let fields = resource.as_object().into_iter().flatten();
                    for (key, value) in fields {
                        let place = if key == "Properties" { name.clone() } else { format!("{name}.{key}") };
                        walk(&place, value, findings);
                    }
                }
            }
            ("Globals", _) => {}
            _ => walk(section, value, findings),
        }
    }
}

fn is_of_sam(resource: &Value) -> bool {
    resource.get("Type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("AWS::Serverless::"))
}

fn walk(place: &str, value: &Value, findings: &mut Findings) {
    match value {
        Value::Null => findings.complain(place, "found no value, and CloudFormation takes no `null`; leave the key out"),
        Value::Array(list) => list.iter().enumerate().for_each(|(index, one)| walk(&format!("{place}[{index}]"), one, findings)),
        Value::Object(fields) => fields.iter().for_each(|(key, one)| walk(&format!("{place}.{key}"), one, findings)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_null_is_refused_where_no_transform_takes_it() {
        let template = json!({
            "Description": null,
            "Globals": {"Function": null},
            "Mappings": {"A": {"B": {"C": null}}},
            "Resources": {
                "Q": {"Type": "AWS::SQS::Queue", "Properties": {"Tags": [{"Key": "a", "Value": null}]}, "DependsOn": [null]},
                "M": {"Type": "AWS::Serverless::StateMachine", "Properties": {"Definition": {"ResultPath": null}}},
            },
        });
        let mut findings = Findings::default();
        check(template.as_object().unwrap(), &mut findings);
        let places: Vec<_> = findings.complaints.iter().map(|complaint| complaint.key.as_str()).collect();
        assert_eq!(places, ["Description", "Mappings.A.B.C", "Q.Tags[0].Value", "Q.DependsOn[0]"]);
    }
}
