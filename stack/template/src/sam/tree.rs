//! Reads and makes small pieces of a template.

use serde_json::{Map, Value, json};

/// The properties of a resource.
pub(crate) fn properties(resource: &Value) -> Option<&Map<String, Value>> {
    resource.get("Properties").and_then(Value::as_object)
}

/// The type of a resource.
pub(crate) fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}

/// A resource with these properties; those that are `null` are left out.
pub(crate) fn resource(kind: &str, properties: Value) -> Value {
    let mut properties = properties;
    if let Some(fields) = properties.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json!({"Type": kind, "Properties": properties})
}

/// The logical id of a `Ref`, or of a plain text.
pub(crate) fn referred(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("Ref")?.as_str())
}

pub(crate) fn reference(id: &str) -> Value {
    json!({"Ref": id})
}

pub(crate) fn attribute(id: &str, attribute: &str) -> Value {
    json!({"Fn::GetAtt": [id, attribute]})
}

/// A field, `null` if it is missing.
pub(crate) fn field(fields: &Map<String, Value>, key: &str) -> Value {
    fields.get(key).cloned().unwrap_or_default()
}

/// Whether a map is a single intrinsic function.
pub(crate) fn is_intrinsic(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|fields| fields.len() == 1 && fields.keys().all(|key| key == "Ref" || key == "Condition" || key.starts_with("Fn::")))
}

/// The invocation address of a function for API Gateway, from a value with the function's ARN.
pub(crate) fn invocation(arn: &Value) -> Value {
    let text = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations";
    json!({"Fn::Sub": [text, {"__FunctionArn__": arn}]})
}

/// A list of one value or of the values of a list.
pub(crate) fn listed(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(list) => list.clone(),
        other => vec![other.clone()],
    }
}
