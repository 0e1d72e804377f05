//! The SAM export, merged into a template with functions of every kind, passes AWS's own
//! translator, with and without the layer.
//!
//! `.ci/run` installs the translator (`pip install --target target/lint aws-sam-translator`);
//! without it the test prints that it was skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/example.rs"]
mod example;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Merges two templates, translates the result and evaluates its conditions as CloudFormation
/// would.
const TRANSLATE: &str = r#"
import json, sys, yaml
from samtranslator.translator.transform import transform

class NoPolicies:
    def load(self):
        return {}

def merge(into, other):
    for key, value in other.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        elif isinstance(value, list):
            into[key] = into.get(key, []) + value
        else:
            into[key] = value

GONE = object()

def settled(value, attached, layer):
    if isinstance(value, dict):
        if list(value) == ["Fn::If"]:
            condition, then, other = value["Fn::If"]
            assert condition == "WithBrownout", condition
            return settled(then if attached else other, attached, layer)
        if value == {"Ref": "AWS::NoValue"}:
            return GONE
        if value == {"Ref": "BrownoutLayerArn"}:
            return layer
        return {k: v for k, v in ((k, settled(v, attached, layer)) for k, v in value.items()) if v is not GONE}
    if isinstance(value, list):
        return [v for v in (settled(v, attached, layer) for v in value) if v is not GONE]
    return value

given = json.load(sys.stdin)
template = given["template"]
merge(template, yaml.safe_load(given["ours"]))
template = transform(template, {"BrownoutLayerArn": given["layer"]}, NoPolicies())
attached = given["layer"] != ""
resources = {}
for name, resource in template["Resources"].items():
    if resource.get("Condition") is None or attached:
        resources[name] = settled(resource, attached, given["layer"])
print(json.dumps(resources))
"#;

fn translate(template: &Value, layer: &str) -> Option<Value> {
    let folder = std::env::var_os("SAM_TRANSLATOR").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/lint"));
    let path = match std::env::var("PYTHONPATH") {
        Ok(path) => format!("{}:{path}", folder.display()),
        Err(_) => folder.display().to_string(),
    };
    let python = |code: &str| {
        let mut command = Command::new("python3");
        command.args(["-B", "-c", code]).env("PYTHONPATH", &path).env("AWS_DEFAULT_REGION", "us-east-1");
        command
    };
    if !python("import samtranslator, yaml").stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: aws-sam-translator is not in `{}`; `.ci/run` brings it", folder.display());
        return None;
    }
    let ours = exports::sam(&example::experiment()).unwrap().remove(0).text;
    let mut child = python(TRANSLATE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let given = json!({"template": template, "ours": ours, "layer": layer});
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the translator refuses it");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

const TRACING: &str = "arn:aws:lambda:us-east-1:123456789012:layer:tracing:4";

/// A function with layers, variables and policies of its own, an OS-only one, a container image,
/// and one that is not part of the experiment.
fn template() -> Value {
    let code = json!({"Runtime": "python3.13", "Handler": "app.handler", "InlineCode": "def handler(event, context): pass"});
    let with = |other: Value| {
        let mut all = code.as_object().unwrap().clone();
        all.extend(other.as_object().unwrap().clone());
        json!({"Type": "AWS::Serverless::Function", "Properties": all})
    };
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Globals": {"Function": {"Environment": {"Variables": {"STAGE": "dev"}}}},
        "Resources": {
            "Authorizer": with(json!({
                "FunctionName": "authorizer", "Layers": [TRACING], "Policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
                "Environment": {"Variables": {"TABLE_NAME": "t"}},
            })),
            "Appointments": {"Type": "AWS::Serverless::Function", "Properties": {
                "FunctionName": "appointments", "Runtime": "provided.al2023", "Handler": "bootstrap", "CodeUri": "s3://bucket/key",
            }},
            "Renderer": {"Type": "AWS::Serverless::Function", "Properties": {
                "PackageType": "Image", "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/renderer:1",
            }},
            "Other": with(json!({"Layers": [TRACING]})),
        },
    })
}

/// Everything that a value refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("Ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => (),
    }
}

#[test]
fn only_the_functions_of_the_experiment_get_the_layer_with_all_that_it_needs_or_nothing() {
    let experiment = example::experiment();
    for layer in [experiment.layer.to_string(), String::new()] {
        let Some(resources) = translate(&template(), &layer) else { return };
        let mut found = Vec::new();
        references(&resources, &mut found);
        let dangling: Vec<_> = found.iter().filter(|name| !name.starts_with("AWS::") && resources.get(name.as_str()).is_none()).collect();
        assert!(dangling.is_empty(), "{dangling:?} with `{layer}`");
        let ours = |name: &str| resources[name]["Properties"].to_string().contains("brownout");
        assert!(!ours("Renderer") && !ours("Other"), "{resources:#}");

        let (layers, variables) = (
            |name: &str| resources[name]["Properties"]["Layers"].clone(),
            |name: &str| resources[name]["Properties"]["Environment"]["Variables"].clone(),
        );
        let idle = "ssm:/brownout/slow-authorizer/plan/idle";
        if layer.is_empty() {
            assert_eq!(layers("Authorizer"), json!([TRACING]));
            assert_eq!(variables("Authorizer"), json!({"STAGE": "dev", "TABLE_NAME": "t"}));
            assert_eq!(variables("Appointments"), json!({"STAGE": "dev"}));
            assert!(matches!(layers("Appointments"), Value::Null | Value::Array(_)) && !ours("Appointments"));
        } else {
            assert_eq!(layers("Authorizer"), json!([TRACING, layer]));
            let wrapper = "/opt/brownout/wrapper";
            let expected = json!({"STAGE": "dev", "TABLE_NAME": "t", "AWS_LAMBDA_EXEC_WRAPPER": wrapper, "BROWNOUT_PLAN": idle});
            assert_eq!(variables("Authorizer"), expected);
            assert_eq!(layers("Appointments"), json!([layer]));
            let expected = json!({"STAGE": "dev", "AWS_LAMBDA_EXEC_WRAPPER": wrapper, "BROWNOUT_PLAN": idle});
            assert_eq!(variables("Appointments"), expected);
        }
        for role in ["AuthorizerRole", "AppointmentsRole"] {
            let policies = &resources[role]["Properties"]["ManagedPolicyArns"];
            assert!(policies.as_array().unwrap().contains(&json!({"Ref": "BrownoutPlanPolicy"})), "{role}: {policies}");
        }
    }
}
