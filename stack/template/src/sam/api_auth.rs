//! `Auth` of SAM's APIs: authorizers and defaults become the security of an OpenAPI document.

use serde_json::{Map, Value, json};

use super::Expansion;
use super::methods::each_method;
use super::tree::{invocation, listed};

/// The keys of `Auth`. Source: AWS SAM developer guide, ApiAuth and HttpApiAuth.
const OF_REST: [&str; 8] = [
    "Authorizers",
    "DefaultAuthorizer",
    "InvokeRole",
    "AddDefaultAuthorizerToCorsPreflight",
    "AddApiKeyRequiredToCorsPreflight",
    "ApiKeyRequired",
    "ResourcePolicy",
    "UsagePlan",
];
const OF_HTTP: [&str; 3] = ["Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"];

/// The scheme of requests that are signed.
fn signed() -> Value {
    json!({"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"})
}

/// The scheme of the API's keys.
pub(super) fn key() -> Value {
    json!({"type": "apiKey", "name": "x-api-key", "in": "header"})
}

/// Adds schemes to a document. In a REST API's document of version 3 they replace its own, as
/// AWS's translator does.
pub(super) fn add_schemes(body: &mut Value, http: bool, schemes: Map<String, Value>) {
    let Some(body) = body.as_object_mut().filter(|_| !schemes.is_empty()) else { return };
    let replaces = !http && body.contains_key("openapi");
    let all = if http || replaces {
        let components = body.entry("components").or_insert_with(|| json!({}));
        components.as_object_mut().map(|all| all.entry("securitySchemes").or_insert_with(|| json!({})))
    } else {
        Some(body.entry("securityDefinitions").or_insert_with(|| json!({})))
    };
    if let Some(Value::Object(all)) = all {
        if replaces {
            all.clear();
        }
        all.extend(schemes);
    }
}

/// The identity sources of an authorizer, with the prefix of each kind.
fn sources(identity: &Value, prefixes: [&str; 4]) -> Vec<String> {
    let of_kind = |(key, prefix): (&str, &str)| {
        let values = identity.get(key).map(listed).unwrap_or_default();
        values.into_iter().filter_map(|value| Some(format!("{prefix}{}", value.as_str()?))).collect::<Vec<_>>()
    };
    ["Headers", "QueryStrings", "StageVariables", "Context"].into_iter().zip(prefixes).flat_map(of_kind).collect()
}

/// An authorizer of a REST API as a security scheme.
fn rest_scheme(authorizer: &Value) -> Result<Value, &'static str> {
    let identity = authorizer.get("Identity").cloned().unwrap_or_default();
    let header = identity.get("Header").cloned().unwrap_or_else(|| json!("Authorization"));
    let scheme = |name: Value, kind: &str, mut extension: Value| {
        if let Some(fields) = extension.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        json!({"type": "apiKey", "name": name, "in": "header", "x-amazon-apigateway-authtype": kind, "x-amazon-apigateway-authorizer": extension})
    };
    let expression = identity.get("ValidationExpression");
    if let Some(pools) = authorizer.get("UserPoolArn") {
        let extension = json!({"type": "cognito_user_pools", "providerARNs": listed(pools), "identityValidationExpression": expression});
        return Ok(scheme(header, "cognito_user_pools", extension));
    }
    let uri = invocation(authorizer.get("FunctionArn").ok_or("expected `UserPoolArn` or `FunctionArn`")?);
    let cached = identity.get("ReauthorizeEvery");
    match authorizer.get("FunctionPayloadType").and_then(Value::as_str) {
        None | Some("TOKEN") => {
            let extension = json!({
                "type": "token", "authorizerUri": uri, "authorizerResultTtlInSeconds": cached, "identityValidationExpression": expression,
            });
            Ok(scheme(header, "custom", extension))
        }
        Some("REQUEST") => {
            let sources = sources(&identity, ["method.request.header.", "method.request.querystring.", "stageVariables.", "context."]);
            if sources.is_empty() && cached.is_none_or(|seconds| seconds != 0 && seconds != "0") {
                return Err("expected Identity with at least one of Headers, QueryStrings, StageVariables, Context, or ReauthorizeEvery 0");
            }
            let sources = Some(sources.join(", ")).filter(|text| !text.is_empty());
            let extension = json!({
                "type": "request", "authorizerUri": uri, "authorizerResultTtlInSeconds": cached, "identitySource": sources,
            });
            Ok(scheme(json!("Unused"), "custom", extension))
        }
        Some(_) => Err("`FunctionPayloadType` is TOKEN or REQUEST"),
    }
}

/// An authorizer of an HTTP API as a security scheme.
fn http_scheme(authorizer: &Value) -> Result<Value, &'static str> {
    if let Some(jwt) = authorizer.get("JwtConfiguration").and_then(Value::as_object) {
        let source = authorizer.get("IdentitySource").ok_or("found no `IdentitySource`")?;
        let jwt: Map<String, Value> = jwt.iter().map(|(key, value)| (key.to_lowercase(), value.clone())).collect();
        return Ok(json!({
            "type": "oauth2",
            "x-amazon-apigateway-authorizer": {"type": "jwt", "jwtConfiguration": jwt, "identitySource": source},
        }));
    }
    let uri = invocation(authorizer.get("FunctionArn").ok_or("expected `JwtConfiguration` or `FunctionArn`")?);
    let version = authorizer.get("AuthorizerPayloadFormatVersion").ok_or("found no `AuthorizerPayloadFormatVersion`")?;
    let identity = authorizer.get("Identity").cloned().unwrap_or_default();
    let sources = sources(&identity, ["$request.header.", "$request.querystring.", "$stageVariables.", "$context."]);
    let mut extension = json!({
        "type": "request",
        "authorizerUri": uri,
        "authorizerPayloadFormatVersion": version,
        "authorizerResultTtlInSeconds": identity.get("ReauthorizeEvery"),
        "enableSimpleResponses": authorizer.get("EnableSimpleResponses"),
        "identitySource": if identity.is_null() { Value::Null } else { json!(sources) },
    });
    if let Some(fields) = extension.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(json!({"type": "apiKey", "name": "Unused", "in": "header", "x-amazon-apigateway-authorizer": extension}))
}

impl Expansion<'_> {
    /// Adds `Auth` to the document of an API.
    pub(super) fn add_auth(&mut self, api: &str, auth: &Map<String, Value>, body: &mut Value, http: bool) {
        let authorizers = auth.get("Authorizers").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut schemes = Map::new();
        // AWS's translator refuses other keys, and a switch that is neither on nor off.
        let known: &[&str] = if http { &OF_HTTP } else { &OF_REST };
        for key in auth.keys().filter(|key| !known.contains(&key.as_str())) {
            self.findings.complain(format!("{api}.Auth.{key}"), format!("there are: {}", known.join(", ")));
        }
        let is_switch = |on: &Value| on.is_boolean() || on == "true" || on == "false";
        if let Some(on) = auth.get("ApiKeyRequired").filter(|on| !is_switch(on)) {
            self.findings.complain(format!("{api}.Auth.ApiKeyRequired"), format!("found `{on}`, expected true or false"));
        }
        for (name, authorizer) in &authorizers {
            match if http { http_scheme(authorizer) } else { rest_scheme(authorizer) } {
                Ok(scheme) => drop(schemes.insert(name.clone(), scheme)),
                Err(why) => self.findings.complain(format!("{api}.Auth.Authorizers.{name}"), why),
            }
        }
        let default = auth.get("DefaultAuthorizer").and_then(Value::as_str);
        if let Some(name) = default.filter(|name| !authorizers.contains_key(*name) && *name != "AWS_IAM") {
            self.findings.complain(format!("{api}.Auth.DefaultAuthorizer"), format!("found `{name}`, which is none of the authorizers"));
        }
        let on = |key: &str| auth.get(key).is_none_or(|on| on != &json!(false) && on != "false");
        let defaults = Defaults {
            scopes: default.and_then(|name| authorizers.get(name)?.get("AuthorizationScopes")).cloned().unwrap_or_else(|| json!([])),
            authorizer: default,
            // An HTTP API answers preflights itself.
            on_preflight: !http && on("AddDefaultAuthorizerToCorsPreflight"),
            key: auth.contains_key("ApiKeyRequired") && on("ApiKeyRequired"),
            key_on_preflight: on("AddApiKeyRequiredToCorsPreflight"),
        };
        let mut signs = default == Some("AWS_IAM");
        for (method, definition) in each_method(body) {
            let declared = definition.remove("security").and_then(|it| it.as_array().cloned()).unwrap_or_default();
            let security = defaults.security(method, declared, &authorizers);
            signs |= security.iter().any(|one| names(one, "AWS_IAM"));
            if !security.is_empty() {
                definition.insert("security".to_owned(), Value::Array(security));
            }
        }
        if signs {
            schemes.insert("AWS_IAM".to_owned(), signed());
        }
        if defaults.key {
            schemes.insert("api_key".to_owned(), key());
        }
        add_schemes(body, http, schemes);
    }
}

/// What an API's `Auth` says for all of its methods.
struct Defaults<'a> {
    authorizer: Option<&'a str>,
    scopes: Value,
    on_preflight: bool,
    key: bool,
    key_on_preflight: bool,
}

impl Defaults<'_> {
    /// The security of a method that has `declared` so far.
    fn security(&self, method: &str, declared: Vec<Value>, authorizers: &Map<String, Value>) -> Vec<Value> {
        let mut security = declared;
        let is_authorizer = |one: &Value| {
            let keys = one.as_object().into_iter().flat_map(Map::keys);
            keys.into_iter().any(|key| key == "NONE" || key == "AWS_IAM" || authorizers.contains_key(key))
        };
        if let Some(name) = self.authorizer
            && (self.on_preflight || method != "options")
            && !security.iter().any(is_authorizer)
        {
            security.push(Value::Object(Map::from_iter([(name.to_owned(), self.scopes.clone())])));
        }
        let said = security.iter().any(|one| names(one, "api_key") || names(one, "api_key_false"));
        if self.key && !said && (self.key_on_preflight || method != "options") {
            security.push(json!({"api_key": []}));
        }
        security.retain(|one| !names(one, "NONE") && !names(one, "api_key_false"));
        security
    }
}

/// Whether a security requirement names this scheme.
fn names(requirement: &Value, name: &str) -> bool {
    requirement.as_object().is_some_and(|fields| fields.contains_key(name))
}

/// The statements of a `ResourcePolicy` for one path. Source: AWS SAM developer guide,
/// ResourcePolicyStatement.
pub(super) fn statements(policy: &Map<String, Value>, resources: &Value) -> Vec<Value> {
    let list = |key: &str| policy.get(key).map(listed).filter(|list| !list.is_empty());
    let allow = || json!({"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resources, "Principal": "*"});
    let deny = |condition: Value| json!({"Effect": "Deny", "Action": "execute-api:Invoke", "Resource": resources, "Principal": "*", "Condition": condition});
    let mut statements = Vec::new();
    for (key, effect) in [("AwsAccountWhitelist", "Allow"), ("AwsAccountBlacklist", "Deny")] {
        if let Some(accounts) = list(key) {
            let principal = json!({"AWS": accounts});
            statements.push(json!({"Effect": effect, "Action": "execute-api:Invoke", "Resource": resources, "Principal": principal}));
        }
    }
    for (key, operator) in [("IpRangeWhitelist", "NotIpAddress"), ("IpRangeBlacklist", "IpAddress")] {
        if let Some(ranges) = list(key) {
            statements.extend([allow(), deny(json!({operator: {"aws:SourceIp": ranges}}))]);
        }
    }
    for (kind, operator) in [("Blacklist", "StringEquals"), ("Whitelist", "StringNotEquals")] {
        let named = list(&format!("SourceVpc{kind}")).unwrap_or_default();
        let (endpoints, mut networks): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|name| name.as_str().is_some_and(|name| name.starts_with("vpce-")));
        let mut endpoints = endpoints;
        networks.extend(list(&format!("IntrinsicVpc{kind}")).unwrap_or_default());
        endpoints.extend(list(&format!("IntrinsicVpce{kind}")).unwrap_or_default());
        let of = [("aws:SourceVpc", networks), ("aws:SourceVpce", endpoints)].into_iter().filter(|(_, list)| !list.is_empty());
        let condition: Map<String, Value> = of.map(|(key, list)| (key.to_owned(), Value::Array(list))).collect();
        if !condition.is_empty() {
            statements.extend([allow(), deny(json!({operator: condition}))]);
        }
    }
    statements
}
