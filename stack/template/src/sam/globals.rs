//! `Globals`: what a template says once for all resources of a SAM type. Maps are merged, lists are
//! joined with the global part first, and anything else of the resource replaces the global value.
//! Source: AWS SAM developer guide, "Globals section", and the behaviour of AWS's translator.

use serde_json::{Map, Value};

use super::tree::{is_intrinsic, kind};
use crate::findings::Findings;

/// The sections that SAM knows. Source: AWS SAM developer guide, "Supported resources and
/// properties".
const SECTIONS: [&str; 7] = ["Function", "Api", "HttpApi", "SimpleTable", "StateMachine", "LayerVersion", "WebSocketApi"];

/// Newer sections, of resources that are not served.
const NOT_SERVED: [&str; 4] = ["CapacityProvider", "MicroVMImage", "NetworkConnector", "GraphQLApi"];

/// Adds the globals to every resource.
pub(super) fn merge(resources: &mut Map<String, Value>, globals: &Map<String, Value>, findings: &mut Findings) {
    for (section, value) in globals {
        if !SECTIONS.contains(&section.as_str()) && !NOT_SERVED.contains(&section.as_str()) {
            findings.complain(format!("Globals.{section}"), format!("there are: {}", SECTIONS.join(", ")));
        } else if !value.is_object() {
            findings.complain(format!("Globals.{section}"), "expected a map");
        }
    }
    for (id, resource) in resources.iter_mut() {
        let Some(section) = kind(resource).strip_prefix("AWS::Serverless::").map(str::to_owned) else { continue };
        let Some(global) = globals.get(&section).and_then(Value::as_object) else { continue };
        let Some(fields) = resource.as_object_mut() else { continue };
        let ignored = fields.remove("IgnoreGlobals").unwrap_or_default();
        let mut global = global.clone();
        match &ignored {
            Value::Null => {}
            Value::String(all) if all == "*" => global.clear(),
            Value::Array(keys) => global.retain(|key, _| !keys.iter().any(|ignored| ignored == key)),
            other => findings.complain(format!("{id}.IgnoreGlobals"), format!("found `{other}`, expected `*` or a list")),
        }
        let own = fields.remove("Properties").unwrap_or_else(|| Value::Object(Map::new()));
        fields.insert("Properties".to_owned(), merged(&section, Value::Object(global), own));
    }
}

/// One value over another; `at` is the path of both.
fn merged(at: &str, global: Value, own: Value) -> Value {
    if is_intrinsic(&global) || is_intrinsic(&own) || at == "Function.Architectures" {
        return own;
    }
    match (global, own) {
        (Value::Object(mut global), Value::Object(own)) => {
            for (key, value) in own {
                let value = match global.remove(&key) {
                    Some(before) => merged(&format!("{at}.{key}"), before, value),
                    None => value,
                };
                global.insert(key, value);
            }
            Value::Object(global)
        }
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (_, own) => own,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_are_merged_lists_joined_and_texts_replaced() {
        let globals = json!({"Function": {
            "Timeout": 5, "Layers": ["a"], "Architectures": ["x86_64"],
            "Environment": {"Variables": {"A": "1", "B": "2"}},
        }});
        for (own, ignored, read) in [
            (json!({}), Value::Null, globals["Function"].clone()),
            (
                json!({"Timeout": 9, "Layers": ["b"], "Architectures": ["arm64"], "Environment": {"Variables": {"B": "3"}}}),
                Value::Null,
                json!({"Timeout": 9, "Layers": ["a", "b"], "Architectures": ["arm64"], "Environment": {"Variables": {"A": "1", "B": "3"}}}),
            ),
            (json!({"Layers": {"Ref": "L"}}), json!(["Timeout", "Environment", "Architectures"]), json!({"Layers": {"Ref": "L"}})),
            (json!({"Handler": "h"}), json!("*"), json!({"Handler": "h"})),
        ] {
            let mut resource = json!({"Type": "AWS::Serverless::Function", "Properties": own});
            if !ignored.is_null() {
                resource["IgnoreGlobals"] = ignored;
            }
            let mut resources = Map::from_iter([("F".to_owned(), resource)]);
            let mut findings = Findings::default();
            merge(&mut resources, globals.as_object().unwrap(), &mut findings);
            assert_eq!((&resources["F"]["Properties"], findings.complaints.len()), (&read, 0), "{own}");
        }
    }

    #[test]
    fn a_section_that_sam_does_not_have_is_a_complaint() {
        let mut findings = Findings::default();
        merge(&mut Map::new(), json!({"Table": {}, "Api": 1}).as_object().unwrap(), &mut findings);
        let keys: Vec<_> = findings.complaints.iter().map(|complaint| complaint.key.as_str()).collect();
        assert_eq!(keys, ["Globals.Table", "Globals.Api"]);
    }
}
