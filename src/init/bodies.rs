//! What requests send, as far as the template says it: OpenAPI documents, models of methods, and
//! models that a SAM event names. Values are made up by a schema's types; nothing is resolved.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use template::files::{Files, Folder};

/// Schemas of bodies by method, in upper case, and path. Of several APIs with the same path the
/// last counts.
pub type Bodies = BTreeMap<(String, String), Value>;

/// A schema is followed this deep; a deeper one refers to itself.
const DEEPEST: usize = 12;

/// The samples of all bodies that the template describes.
pub fn of(text: &str, files: &Folder) -> Bodies {
    let Ok(document) = template::yaml::read(text) else { return Bodies::new() };
    let resources = document.value.get("Resources").and_then(Value::as_object).cloned().unwrap_or_default();
    let mut bodies = Bodies::new();
    for resource in resources.values() {
        let properties = resource.get("Properties").unwrap_or(&Value::Null);
        for key in ["DefinitionBody", "Body", "DefinitionUri", "BodyS3Location"] {
            if let Some(document) = properties.get(key).and_then(|value| loaded(value, files)) {
                of_document(&document, &mut bodies);
            }
        }
        of_events(properties, &resources, &mut bodies);
    }
    bodies
}

/// A document that is in the template, in a file, or included from one.
fn loaded(value: &Value, files: &Folder) -> Option<Value> {
    let included = || value.get("Fn::Transform")?.get("Parameters")?.get("Location")?.as_str();
    match value.as_str().or_else(included) {
        Some(path) => template::yaml::read(&files.read(path).ok()?).ok().map(|document| document.value),
        None => Some(value.clone()),
    }
}

/// Source: OpenAPI 3.0, "Request Body Object"; OpenAPI 2.0, "Parameter Object".
fn of_document(document: &Value, bodies: &mut Bodies) {
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let content = operation.get("requestBody").map(|body| referred(body, document)).and_then(|body| body.get("content"));
            let json = content.and_then(Value::as_object).and_then(|kinds| kinds.iter().find(|(kind, _)| kind.contains("json")));
            let parameters = operation.get("parameters").and_then(Value::as_array);
            let parameter = parameters.into_iter().flatten().find(|one| one.get("in") == Some(&json!("body")));
            if let Some(schema) = json.map(|(_, media)| media).or(parameter).and_then(|holder| holder.get("schema")) {
                let sample = sample("", schema, document, DEEPEST);
                bodies.insert((method.to_uppercase(), path.clone()), sample);
            }
        }
    }
}

/// Models that the events of a SAM function name.
fn of_events(function: &Value, resources: &Map<String, Value>, bodies: &mut Bodies) {
    let events = function.get("Events").and_then(Value::as_object);
    for event in events.into_iter().flatten().filter_map(|(_, event)| event.get("Properties")) {
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        let (Some(path), Some(method)) = (text("Path"), text("Method")) else { continue };
        let Some(model) = event.get("RequestModel").and_then(|model| model.get("Model")?.as_str()) else { continue };
        let models = resources.values().filter_map(|resource| resource.get("Properties")?.get("Models")?.get(model));
        if let Some(schema) = models.into_iter().next() {
            bodies.insert((method.to_uppercase(), path.to_owned()), sample("", schema, &Value::Null, DEEPEST));
        }
    }
}

/// What `$ref` refers to in the same document.
fn referred<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    let pointer = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// A value that fits a schema. Texts are written so that each request sends others.
fn sample(name: &str, schema: &Value, document: &Value, deep: usize) -> Value {
    let schema = referred(schema, document);
    if deep == 0 {
        return json!({});
    }
    let said = ["example", "default"].into_iter().find_map(|key| schema.get(key));
    if let Some(said) = said.or_else(|| schema.get("enum")?.get(0)).filter(|said| !has_braces(said)) {
        return said.clone();
    }
    let kind = schema.get("type").and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    let parts = schema.get("allOf").and_then(Value::as_array);
    match kind {
        Some("integer" | "number") => json!(format!("{{{{int {} {}}}}}", bound(schema, "minimum", 1), bound(schema, "maximum", 9))),
        Some("boolean") => json!(true),
        Some("array") => schema.get("items").map_or_else(|| json!([]), |items| json!([sample(name, items, document, deep - 1)])),
        Some("string") => json!(of_format(name, schema)),
        _ => {
            let mut fields = Map::new();
            for part in parts.into_iter().flatten().chain([schema]) {
                let properties = referred(part, document).get("properties").and_then(Value::as_object);
                let is_written = |(_, property): &(&String, &Value)| property.get("readOnly") != Some(&json!(true));
                for (name, property) in properties.into_iter().flatten().filter(is_written) {
                    fields.insert(name.clone(), sample(name, property, document, deep - 1));
                }
            }
            Value::Object(fields)
        }
    }
}

/// A bound of a number; the upper one is never below the lower one.
fn bound(schema: &Value, key: &str, otherwise: i64) -> i64 {
    let read = |key: &str| schema.get(key).and_then(|bound| bound.as_i64().or_else(|| Some(bound.as_f64()?.ceil() as i64)));
    let found = read(key).unwrap_or(otherwise);
    if key == "maximum" { found.max(read("minimum").unwrap_or(1)) } else { found.min(read("maximum").unwrap_or(i64::MAX)) }
}

fn of_format(name: &str, schema: &Value) -> String {
    match schema.get("format").and_then(Value::as_str) {
        Some("uuid") => "{{uuid}}".to_owned(),
        Some("date-time") => "{{now}}".to_owned(),
        Some("date") => "2026-01-31".to_owned(),
        Some("email") => "user-{{int 1 500}}@example.com".to_owned(),
        Some("uri" | "url") => "https://example.com/{{int 1 500}}".to_owned(),
        _ => format!("{}-{{{{int 1 500}}}}", if name.is_empty() || has_braces(&json!(name)) { "text" } else { name }),
    }
}

/// Whether a value would be taken for one that is filled in.
fn has_braces(value: &Value) -> bool {
    value.to_string().contains("{{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_made_by_its_schema() {
        let text = r##"
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      DefinitionBody:
        paths:
          /orders:
            post:
              requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
            put:
              parameters: [{in: body, name: b, schema: {type: object, properties: {state: {type: string, enum: [NEW]}}}}]
        components:
          schemas:
            Order:
              type: object
              properties:
                id: {type: string, format: uuid}
                amount: {type: integer, minimum: 3}
                created: {type: string, readOnly: true}
                customer: {$ref: "#/components/schemas/Customer"}
                lines: {type: array, items: {type: string}}
                again: {$ref: "#/components/schemas/Order"}
            Customer: {type: object, properties: {name: {type: string, example: Jane}, mail: {type: string, format: email}}}
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Add: {Type: Api, Properties: {Path: /users, Method: post, RequestModel: {Model: User}}}
  Other:
    Type: AWS::Serverless::Api
    Properties: {Models: {User: {type: object, properties: {age: {type: integer, minimum: 20, maximum: 30}}}}}
"##;
        let folder = tempfile::tempdir().unwrap();
        let bodies = of(text, &Folder::new(folder.path().to_owned()));
        let body = |method: &str, path: &str| bodies.get(&(method.to_owned(), path.to_owned())).unwrap();
        let order = body("POST", "/orders");
        assert_eq!(order["id"], "{{uuid}}");
        assert_eq!(order["amount"], "{{int 3 9}}");
        assert_eq!(order["customer"], json!({"name": "Jane", "mail": "user-{{int 1 500}}@example.com"}));
        assert_eq!(order["lines"], json!(["lines-{{int 1 500}}"]));
        assert!(order.get("created").is_none() && order["again"]["id"] == "{{uuid}}");
        assert_eq!(body("PUT", "/orders"), &json!({"state": "NEW"}));
        assert_eq!(body("POST", "/users"), &json!({"age": "{{int 20 30}}"}));
        assert_eq!(of(":", &Folder::new(folder.path().to_owned())), Bodies::new());
    }
}
