//! The methods that events add to an API, as paths of an OpenAPI document.

use serde_json::{Map, Value, json};

use super::Expansion;

/// The key of a method that stands for all. Source: API Gateway developer guide,
/// "x-amazon-apigateway-any-method object".
pub(super) const ANY: &str = "x-amazon-apigateway-any-method";
pub(super) const INTEGRATION: &str = "x-amazon-apigateway-integration";

/// A method that an event adds.
pub(super) struct Method {
    /// The event.
    pub(super) place: String,
    path: String,
    method: String,
    integration: Value,
    /// The event's `Auth`.
    pub(super) auth: Map<String, Value>,
}

impl Method {
    /// Reads an event; the error is the name of a property that is missing or unknown.
    pub(super) fn read(place: &str, uri: Value, fields: &Map<String, Value>, http: bool) -> Result<Self, &'static str> {
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        let neither = http && !fields.contains_key("Path") && !fields.contains_key("Method");
        let (path, method) = if neither {
            // Source: AWS SAM developer guide, HttpApi: without path and method it is the default.
            ("$default".to_owned(), ANY.to_owned())
        } else {
            (text("Path").ok_or("Path")?, text("Method").ok_or("Method")?)
        };
        let method = match method.to_lowercase().as_str() {
            "any" | "*" => ANY.to_owned(),
            other => other.to_owned(),
        };
        let streams = match fields.get("ResponseTransferMode").and_then(Value::as_str) {
            None | Some("BUFFERED") => false,
            // Source: AWS SAM developer guide, Api: the integration then has `STREAM`.
            Some("RESPONSE_STREAM") => true,
            Some(_) => return Err("ResponseTransferMode"),
        };
        let mut integration = json!({
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": uri,
            "timeoutInMillis": fields.get("TimeoutInMillis"),
            "responseTransferMode": streams.then_some("STREAM"),
        });
        if let Some(integration) = integration.as_object_mut() {
            if http {
                let version = fields.get("PayloadFormatVersion").cloned().unwrap_or_else(|| json!("2.0"));
                integration.insert("payloadFormatVersion".to_owned(), version);
            }
            integration.retain(|_, value| !value.is_null());
        }
        let auth = fields.get("Auth").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self { place: place.to_owned(), path, method, integration, auth })
    }
}

impl Method {
    /// Whether a document has this method with an integration.
    pub(super) fn is_in(&self, body: &Value) -> bool {
        let found = body.get("paths").and_then(|paths| paths.get(&self.path)?.get(&self.method));
        found.is_some_and(|method| method.get(INTEGRATION).is_some())
    }
}

/// The security that an event's `Auth` asks for, before the API's defaults.
fn security(auth: &Map<String, Value>, authorizers: Option<&Map<String, Value>>) -> Vec<Value> {
    let mut security = Vec::new();
    if let Some(name) = auth.get("Authorizer").and_then(Value::as_str) {
        let of_authorizer = authorizers.and_then(|all| all.get(name)).and_then(|one| one.get("AuthorizationScopes"));
        let own = auth.get("AuthorizationScopes").filter(|scopes| scopes.as_array().is_some_and(|list| !list.is_empty()));
        let scopes = own.or(of_authorizer).filter(|_| !matches!(name, "NONE" | "AWS_IAM"));
        security.push(Value::Object(Map::from_iter([(name.to_owned(), scopes.cloned().unwrap_or_else(|| json!([])))])));
    }
    match auth.get("ApiKeyRequired") {
        None | Some(Value::Null) => {}
        // A value that is neither true nor false must not grant access.
        Some(required) if required == &json!(false) || required == "false" => security.push(json!({"api_key_false": []})),
        Some(_) => security.push(json!({"api_key": []})),
    }
    security
}

impl Expansion<'_> {
    /// Adds the methods of an API's events to the paths of its document.
    pub(super) fn add_methods(&mut self, api: &str, body: &mut Value, authorizers: Option<&Map<String, Value>>, replace: bool) {
        for method in self.methods.remove(api).unwrap_or_default() {
            for key in method.auth.keys() {
                let known = ["Authorizer", "AuthorizationScopes", "ApiKeyRequired", "ResourcePolicy", "InvokeRole", "OverrideApiAuth"];
                if !known.contains(&key.as_str()) {
                    self.findings.complain(format!("{}.Auth.{key}", method.place), format!("there are: {}", known.join(", ")));
                }
            }
            let is_switch = |on: &Value| on.is_boolean() || on == "true" || on == "false";
            if let Some(on) = method.auth.get("ApiKeyRequired").filter(|on| !is_switch(on)) {
                self.findings.complain(format!("{}.Auth.ApiKeyRequired", method.place), format!("found `{on}`, expected true or false"));
            }
            if let Some(name) = method.auth.get("Authorizer").and_then(Value::as_str)
                && !matches!(name, "NONE" | "AWS_IAM")
                && authorizers.is_none_or(|all| !all.contains_key(name))
            {
                let what = format!("found `{name}`, which is none of the API's authorizers");
                self.findings.complain(format!("{}.Auth.Authorizer", method.place), what);
                continue;
            }
            let Some(paths) = paths(body) else { continue };
            let path = paths.entry(method.path.clone()).or_insert_with(|| json!({}));
            let Some(path) = path.as_object_mut() else { continue };
            if path.get(&method.method).is_some_and(|found| found.get(INTEGRATION).is_some()) && !replace {
                let what = format!("the API has `{}` of `{}` already", method.method, method.path);
                self.findings.complain(method.place, what);
                continue;
            }
            let mut made = json!({INTEGRATION: method.integration, "responses": {}});
            let security = security(&method.auth, authorizers);
            if let (false, Some(made)) = (security.is_empty(), made.as_object_mut()) {
                made.insert("security".to_owned(), Value::Array(security));
            }
            path.insert(method.method, made);
        }
    }
}

/// The `paths` of a document, which are made if they are missing.
pub(super) fn paths(body: &mut Value) -> Option<&mut Map<String, Value>> {
    body.as_object_mut()?.entry("paths").or_insert_with(|| json!({})).as_object_mut()
}

/// Every method of a document that has an integration, with its name.
pub(super) fn each_method(body: &mut Value) -> impl Iterator<Item = (&str, &mut Map<String, Value>)> {
    let of_paths = paths(body).into_iter().flat_map(|paths| paths.values_mut()).filter_map(Value::as_object_mut);
    let methods = of_paths.flat_map(|path| path.iter_mut()).filter_map(|(name, method)| Some((name.as_str(), method.as_object_mut()?)));
    methods.filter(|(_, method)| method.contains_key(INTEGRATION))
}
