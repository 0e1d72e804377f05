//! The SAM transform: every `AWS::Serverless::*` resource becomes plain CloudFormation resources,
//! with the logical ids that AWS's own translator gives them. Permissions are not made: they are
//! not checked on this machine.

mod api_auth;
mod events;
mod functions;
mod globals;
mod http_apis;
mod machines;
mod methods;
mod rest_apis;
mod rules;
mod tables;
pub(crate) mod tree;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::findings::Findings;
use methods::Method;
use tree::{kind, properties, reference, resource};

/// The logical ids of the APIs that events belong to when they name none. Source: AWS SAM developer
/// guide, "Generated CloudFormation resources".
const IMPLICIT_REST: &str = "ServerlessRestApi";
const IMPLICIT_HTTP: &str = "ServerlessHttpApi";

/// SAM types that are not served here.
const NOT_SERVED: [&str; 7] =
    ["Application", "Connector", "GraphQLApi", "WebSocketApi", "CapacityProvider", "MicroVMImage", "NetworkConnector"];

/// The work on one template.
struct Expansion<'a> {
    /// The resources as far as they are made.
    made: Map<String, Value>,
    /// What events add to APIs, by the API's logical id.
    methods: BTreeMap<String, Vec<Method>>,
    /// What `Ref: Api.Stage` and the like mean: another logical id.
    renamed: BTreeMap<String, String>,
    /// Where the generated resource of an event is declared.
    origins: BTreeMap<String, String>,
    /// The declared SAM resources, with their globals.
    declared: &'a Map<String, Value>,
    findings: &'a mut Findings,
}

/// What SAM's resources become.
pub(crate) struct Expanded {
    /// The resources in plain CloudFormation.
    pub resources: Map<String, Value>,
    /// Where the generated ones are declared.
    pub origins: Origins,
}

/// Where generated resources are declared, by logical id.
pub(crate) struct Origins(BTreeMap<String, String>);

impl Origins {
    /// A place as the template has it.
    pub(crate) fn place(&self, place: String) -> String {
        let end = place.find(['.', '[']).unwrap_or(place.len());
        let (id, rest) = place.split_at(end);
        self.0.get(id).map_or_else(|| place.clone(), |origin| format!("{origin}{rest}"))
    }
}

/// The resources of a template in plain CloudFormation. In the outputs the names of generated
/// resources, such as `Api.Stage`, are replaced.
pub(crate) fn expand(
    mut resources: Map<String, Value>,
    globals: &Map<String, Value>,
    outputs: &mut Map<String, Value>,
    findings: &mut Findings,
) -> Expanded {
    add_implicit_apis(&mut resources);
    globals::merge(&mut resources, globals, findings);
    let (declared, made): (Map<_, _>, Map<_, _>) =
        resources.into_iter().partition(|(_, resource)| kind(resource).starts_with("AWS::Serverless::"));
    let mut work =
        Expansion { made, methods: BTreeMap::new(), renamed: BTreeMap::new(), origins: BTreeMap::new(), declared: &declared, findings };
    let of = |name: &'static str| declared.iter().filter(move |(_, one)| kind(one).strip_prefix("AWS::Serverless::") == Some(name));
    let none = Map::new();
    for (id, function) in of("Function") {
        work.function(id, function, properties(function).unwrap_or(&none));
    }
    for (id, machine) in of("StateMachine") {
        work.machine(id, properties(machine).unwrap_or(&none));
    }
    for (id, api) in of("Api") {
        work.rest_api(id, properties(api).unwrap_or(&none));
    }
    for (id, api) in of("HttpApi") {
        work.http_api(id, properties(api).unwrap_or(&none));
    }
    for (id, table) in of("SimpleTable") {
        work.simple_table(id, properties(table).unwrap_or(&none));
    }
    for (id, layer) in of("LayerVersion") {
        work.layer(id, properties(layer).unwrap_or(&none));
    }
    for (id, other) in &declared {
        let name = kind(other).trim_start_matches("AWS::Serverless::");
        if NOT_SERVED.contains(&name) {
            work.findings.notice(id, format!("`AWS::Serverless::{name}` is not served here"));
        } else if !["Function", "StateMachine", "Api", "HttpApi", "SimpleTable", "LayerVersion"].contains(&name) {
            work.findings.complain(id, format!("found the type `{}`, which SAM does not have", kind(other)));
        }
    }
    let renamed = work.renamed;
    for output in outputs.values_mut() {
        *output = rename(output.take(), &renamed);
    }
    let origins = work.origins;
    Expanded { resources: work.made.into_iter().map(|(id, value)| (id, rename(value, &renamed))).collect(), origins: Origins(origins) }
}

/// Adds the implicit APIs where an event needs them, so that globals apply to them too.
fn add_implicit_apis(resources: &mut Map<String, Value>) {
    let events = |one: &Value| properties(one).and_then(|fields| fields.get("Events")).and_then(Value::as_object).cloned();
    let of_sam = |one: &&Value| matches!(kind(one), "AWS::Serverless::Function" | "AWS::Serverless::StateMachine");
    let events: Vec<Value> = resources.values().filter(of_sam).filter_map(events).flatten().map(|(_, event)| event).collect();
    let needs =
        |name: &str, key: &str| events.iter().any(|event| kind(event) == name && properties(event).is_none_or(|it| !it.contains_key(key)));
    for (id, event, key, declared) in [
        (IMPLICIT_REST, "Api", "RestApiId", resource("AWS::Serverless::Api", json!({"StageName": "Prod"}))),
        (IMPLICIT_HTTP, "HttpApi", "ApiId", resource("AWS::Serverless::HttpApi", json!({}))),
    ] {
        if needs(event, key) && !resources.contains_key(id) {
            resources.insert(id.to_owned(), declared);
        }
    }
}

impl Expansion<'_> {
    /// Adds a resource; one that exists already is not replaced.
    fn add(&mut self, id: impl Into<String>, made: Value) {
        let id = id.into();
        if self.made.contains_key(&id) {
            self.findings.complain(&id, "another resource of the template has the logical id that SAM gives");
        } else {
            self.made.insert(id, made);
        }
    }

    /// The role that SAM makes where none is named; the value with its ARN.
    fn role(&mut self, id: &str) -> Value {
        let name = format!("{id}Role");
        self.made.entry(name.clone()).or_insert_with(|| resource("AWS::IAM::Role", json!({})));
        tree::attribute(&name, "Arn")
    }

    fn layer(&mut self, id: &str, fields: &Map<String, Value>) {
        let mut layer = fields.clone();
        let content = layer.remove("ContentUri").unwrap_or_default();
        layer.remove("RetentionPolicy");
        layer.remove("PublishLambdaVersion");
        layer.insert("Content".to_owned(), functions::stored(&content, ("S3Bucket", "S3Key", "S3ObjectVersion")));
        layer.entry("LayerName").or_insert_with(|| json!(id));
        self.add(id, resource("AWS::Lambda::LayerVersion", Value::Object(layer)));
    }
}

/// Replaces the names of SAM's own resources, such as `Api.Stage`, in every intrinsic.
fn rename(value: Value, renamed: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => {
            let one = fields.len() == 1;
            let each = fields.into_iter().map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("Ref", Value::String(name)) if one => json!(renamed.get(&name).unwrap_or(&name)),
                    ("Fn::Sub", value) if one => rename(in_texts(value, renamed), renamed),
                    ("Fn::GetAtt", Value::Array(path)) if one => json!(attribute_of(path, renamed)),
                    (_, value) => rename(value, renamed),
                };
                (key, value)
            });
            Value::Object(each.collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(|one| rename(one, renamed)).collect()),
        other => other,
    }
}

fn attribute_of(path: Vec<Value>, renamed: &BTreeMap<String, String>) -> Vec<Value> {
    let name = path.iter().take(2).filter_map(Value::as_str).collect::<Vec<_>>().join(".");
    match renamed.get(&name) {
        Some(new) if path.len() > 2 => std::iter::once(json!(new)).chain(path.into_iter().skip(2)).collect(),
        _ => path.into_iter().enumerate().map(|(n, part)| if n == 0 { renamed_text(part, renamed) } else { part }).collect(),
    }
}

fn renamed_text(part: Value, renamed: &BTreeMap<String, String>) -> Value {
    part.as_str().and_then(|name| renamed.get(name)).map_or_else(|| part.clone(), |new| json!(new))
}

fn in_texts(value: Value, renamed: &BTreeMap<String, String>) -> Value {
    let replaced = |text: String| {
        renamed.iter().fold(text, |text, (old, new)| {
            text.replace(&format!("${{{old}}}"), &format!("${{{new}}}")).replace(&format!("${{{old}."), &format!("${{{new}."))
        })
    };
    match value {
        Value::String(text) => Value::String(replaced(text)),
        Value::Array(parts) => Value::Array(
            parts.into_iter().map(|part| if let Value::String(text) = part { Value::String(replaced(text)) } else { part }).collect(),
        ),
        other => other,
    }
}

/// A value that names a resource: an alias by `Ref`, a function by its ARN.
fn alias_or_arn(function: &str, alias: Option<&str>) -> Value {
    alias.map_or_else(|| tree::attribute(function, "Arn"), reference)
}

/// A text that may be part of a logical id; another one is left out.
fn alphanumeric(text: Option<&str>) -> &str {
    text.filter(|text| text.bytes().all(|byte| byte.is_ascii_alphanumeric())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_generated_resources_are_replaced() {
        let renamed = BTreeMap::from([("A.Stage".to_owned(), "AProdStage".to_owned())]);
        for (value, expected) in [
            (json!({"Ref": "A.Stage"}), json!({"Ref": "AProdStage"})),
            (json!([{"Fn::Sub": "${A.Stage}/${A}"}]), json!([{"Fn::Sub": "${AProdStage}/${A}"}])),
            (json!({"Fn::GetAtt": ["A", "Stage", "X"]}), json!({"Fn::GetAtt": ["AProdStage", "X"]})),
            (json!({"Fn::GetAtt": ["A", "Arn"]}), json!({"Fn::GetAtt": ["A", "Arn"]})),
            (json!({"Fn::Sub": ["${x}", {"x": {"Ref": "A.Stage"}}]}), json!({"Fn::Sub": ["${x}", {"x": {"Ref": "AProdStage"}}]})),
        ] {
            assert_eq!(rename(value.clone(), &renamed), expected, "{value}");
        }
    }
}
