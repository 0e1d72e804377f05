//! `AWS::Serverless::Api`: a REST API with an OpenAPI document, a deployment and a stage.

use serde_json::{Map, Value, json};

use super::api_auth::{add_schemes, key, statements};
use super::functions::stored;
use super::methods::{ANY, INTEGRATION, each_method, paths};
use super::tree::{field, is_intrinsic, reference, resource};
use super::{Expansion, alphanumeric};

impl Expansion<'_> {
    pub(super) fn rest_api(&mut self, id: &str, fields: &Map<String, Value>) {
        let declared = fields.get("DefinitionBody");
        let from_file = fields.get("DefinitionUri");
        if declared.is_some() && from_file.is_some() {
            self.findings.complain(format!("{id}.DefinitionUri"), "`DefinitionBody` and `DefinitionUri` cannot both be given");
        }
        let auth = fields.get("Auth").and_then(Value::as_object);
        let mut body = declared.cloned().unwrap_or_else(|| document(fields.get("OpenApiVersion")));
        let merges = fields.get("MergeDefinitions").is_some_and(|on| on == &json!(true) || on == "true");
        if from_file.is_none() {
            let by_events = declared.is_none() || merges;
            // With a document of its own, an API has only the methods of that document.
            if by_events {
                let authorizers = auth.and_then(|auth| auth.get("Authorizers")).and_then(Value::as_object);
                self.add_methods(id, &mut body, authorizers, merges);
            }
            self.add_cors(id, fields.get("Cors"), &mut body);
            if let Some(auth) = auth {
                self.add_auth(id, auth, &mut body, false);
                add_policy(auth, &mut body, fields.get("StageName"));
            }
            if by_events && uses_keys(&mut body) {
                add_key(&mut body);
            }
            if let (Some(types), Some(body)) = (fields.get("BinaryMediaTypes"), body.as_object_mut()) {
                body.insert("x-amazon-apigateway-binary-media-types".to_owned(), slashes(types.clone()));
            }
        } else if let Some(key) = ["Cors", "Auth"].into_iter().find(|key| fields.contains_key(*key)) {
            self.findings.complain(format!("{id}.{key}"), "works only with `DefinitionBody` or without a definition");
        }
        let api = json!({
            "Name": field(fields, "Name"),
            "Description": field(fields, "Description"),
            "Body": if from_file.is_some() { Value::Null } else { body },
            "BodyS3Location": from_file.map(|file| stored(file, ("Bucket", "Key", "Version"))),
            "FailOnWarnings": field(fields, "FailOnWarnings"),
            "DisableExecuteApiEndpoint": field(fields, "DisableExecuteApiEndpoint"),
            "EndpointConfiguration": field(fields, "EndpointConfiguration"),
            "ApiKeySourceType": field(fields, "ApiKeySourceType"),
            "MinimumCompressionSize": field(fields, "MinimumCompressionSize"),
            "Mode": field(fields, "Mode"),
            "Policy": field(fields, "Policy"),
        });
        self.add(id, resource("AWS::ApiGateway::RestApi", api));
        self.stage_of(id, fields);
        for key in ["Domain", "GatewayResponses", "Models", "CanarySetting"] {
            if fields.contains_key(key) {
                self.findings.notice(format!("{id}.{key}"), "this is not served here");
            }
        }
    }

    fn stage_of(&mut self, id: &str, fields: &Map<String, Value>) {
        let deployment = format!("{id}Deployment");
        let name = field(fields, "StageName");
        if name.is_null() {
            self.findings.complain(format!("{id}.StageName"), "found none");
        }
        let stage = format!("{id}{}Stage", alphanumeric(name.as_str()));
        self.renamed.insert(format!("{id}.Deployment"), deployment.clone());
        self.renamed.insert(format!("{id}.Stage"), stage.clone());
        self.add(&deployment, resource("AWS::ApiGateway::Deployment", json!({"RestApiId": reference(id)})));
        let properties = json!({
            "DeploymentId": reference(&deployment),
            "RestApiId": reference(id),
            "StageName": name,
            "Variables": field(fields, "Variables"),
            "CacheClusterEnabled": field(fields, "CacheClusterEnabled"),
            "CacheClusterSize": field(fields, "CacheClusterSize"),
            "MethodSettings": field(fields, "MethodSettings"),
            "AccessLogSetting": field(fields, "AccessLogSetting"),
            "TracingEnabled": field(fields, "TracingEnabled"),
            "CanarySetting": field(fields, "CanarySetting"),
        });
        self.add(&stage, resource("AWS::ApiGateway::Stage", properties));
        let plan = fields.get("Auth").and_then(|auth| auth.get("UsagePlan")).and_then(Value::as_object).cloned();
        if let Some(plan) = plan {
            self.usage_plan(id, &stage, &plan);
        }
    }

    /// The usage plan and the key that SAM makes for an API, or for all that share them.
    fn usage_plan(&mut self, id: &str, stage: &str, plan: &Map<String, Value>) {
        let prefix = match plan.get("CreateUsagePlan").and_then(Value::as_str) {
            Some("PER_API") => id,
            Some("SHARED") => "Serverless",
            Some("NONE") => return,
            _ => {
                let place = format!("{id}.Auth.UsagePlan.CreateUsagePlan");
                self.findings.complain(place, "there are: PER_API, SHARED, NONE");
                return;
            }
        };
        let (made, key) = (format!("{prefix}UsagePlan"), format!("{prefix}ApiKey"));
        self.renamed.insert(format!("{id}.UsagePlan"), made.clone());
        self.renamed.insert(format!("{id}.ApiKey"), key.clone());
        let of_stage = json!({"ApiId": reference(id), "Stage": reference(stage)});
        let shared = self.made.get_mut(&made).and_then(|plan| plan.get_mut("Properties")?.get_mut("ApiStages")?.as_array_mut());
        if let Some(stages) = shared {
            stages.push(of_stage);
            return;
        }
        let properties = json!({
            "ApiStages": [of_stage],
            "UsagePlanName": field(plan, "UsagePlanName"),
            "Description": field(plan, "Description"),
            "Quota": field(plan, "Quota"),
            "Throttle": field(plan, "Throttle"),
            "Tags": field(plan, "Tags"),
        });
        self.add(&made, resource("AWS::ApiGateway::UsagePlan", properties));
        self.add(&key, resource("AWS::ApiGateway::ApiKey", json!({"Enabled": true})));
        let join = json!({"KeyId": reference(&key), "KeyType": "API_KEY", "UsagePlanId": reference(&made)});
        self.renamed.insert(format!("{id}.UsagePlanKey"), format!("{made}Key"));
        self.add(format!("{made}Key"), resource("AWS::ApiGateway::UsagePlanKey", join));
    }

    /// Adds the answers to preflights, to every path that has no `options` of its own.
    fn add_cors(&mut self, id: &str, cors: Option<&Value>, body: &mut Value) {
        let (origin, declared) = match cors {
            None | Some(Value::Null) => return,
            Some(Value::Object(fields)) if !is_intrinsic(&json!(fields)) => {
                (fields.get("AllowOrigin").cloned().unwrap_or_else(|| json!("'*'")), fields.clone())
            }
            Some(origin) => (origin.clone(), Map::new()),
        };
        let known = ["AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"];
        for other in declared.keys().filter(|key| !known.contains(&key.as_str())) {
            self.findings.complain(format!("{id}.Cors.{other}"), format!("there are: {}", known.join(", ")));
        }
        let credentials = declared.get("AllowCredentials") == Some(&json!(true));
        if credentials && origin == "'*'" {
            self.findings.complain(format!("{id}.Cors.AllowCredentials"), "cannot be true where `AllowOrigin` is \"'*'\"");
        }
        let mut done: Vec<String> = Vec::new();
        for (path, item) in paths(body).into_iter().flatten() {
            let Some(item) = item.as_object_mut() else { continue };
            let normal = if path == "/" { path.as_str() } else { path.trim_end_matches('/') };
            if done.iter().any(|known| known == normal) {
                continue;
            }
            done.push(normal.to_owned());
            if item.contains_key("options") {
                continue;
            }
            let methods =
                declared.get("AllowMethods").filter(|it| !it.is_null()).cloned().unwrap_or_else(|| json!(format!("'{}'", allowed(item))));
            let mut headers = Map::new();
            let mut header = |name: &str, value: Option<Value>| {
                if let Some(value) = value.filter(|value| !value.is_null() && value != "") {
                    headers.insert(format!("method.response.header.Access-Control-{name}"), value);
                }
            };
            header("Allow-Origin", Some(origin.clone()));
            header("Allow-Headers", declared.get("AllowHeaders").cloned());
            header("Allow-Methods", Some(methods));
            header("Max-Age", declared.get("MaxAge").cloned());
            header("Allow-Credentials", credentials.then(|| json!("'true'")));
            let answer = json!({"statusCode": "200", "responseParameters": headers, "responseTemplates": {"application/json": "{}\n"}});
            let integration = json!({
                "type": "mock",
                "requestTemplates": {"application/json": "{\n  \"statusCode\" : 200\n}\n"},
                "responses": {"default": answer},
            });
            item.insert("options".to_owned(), json!({INTEGRATION: integration, "responses": {"200": {"description": "CORS"}}}));
        }
    }
}

/// The methods of a path for `Access-Control-Allow-Methods`.
fn allowed(item: &Map<String, Value>) -> String {
    if item.contains_key(ANY) {
        return "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT".to_owned();
    }
    let mut methods: Vec<String> = item.keys().map(|key| key.to_uppercase()).chain(["OPTIONS".to_owned()]).collect();
    methods.sort();
    methods.dedup();
    methods.join(",")
}

/// Whether a method requires a key.
fn uses_keys(body: &mut Value) -> bool {
    let requires = |security: &Value| security.as_array().is_some_and(|all| all.iter().any(|one| one.get("api_key").is_some()));
    each_method(body).any(|(_, method)| method.get("security").is_some_and(requires))
}

/// Defines the scheme of keys beside the other ones.
fn add_key(body: &mut Value) {
    let schemes = |body: &Value| {
        let old = body.get("securityDefinitions");
        old.or_else(|| body.get("components")?.get("securitySchemes")).and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let mut all = schemes(body);
    all.insert("api_key".to_owned(), key());
    add_schemes(body, false, all);
}

/// An empty document, of the version that `OpenApiVersion` asks for.
fn document(version: Option<&Value>) -> Value {
    let info = json!({"version": "1.0", "title": {"Ref": "AWS::StackName"}});
    match version.map(|version| version.as_str().map_or_else(|| version.to_string(), str::to_owned)) {
        Some(version) if version.starts_with('3') => json!({"openapi": version, "info": info, "paths": {}}),
        _ => json!({"swagger": "2.0", "info": info, "paths": {}}),
    }
}

/// `image~1png` is how `image/png` is written in a template.
fn slashes(types: Value) -> Value {
    match types {
        Value::Array(list) => Value::Array(list.into_iter().map(slashes).collect()),
        Value::String(text) => Value::String(text.replace("~1", "/")),
        other => other,
    }
}

/// A path with `*` for each parameter.
fn starred(path: &str) -> String {
    let mut parts = path.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + "*" + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// The resource policy of `Auth`, over all methods of the document.
fn add_policy(auth: &Map<String, Value>, body: &mut Value, stage: Option<&Value>) {
    let Some(policy) = auth.get("ResourcePolicy").and_then(Value::as_object) else { return };
    let mut all: Vec<Value> = Vec::new();
    for (path, item) in paths(body).into_iter().flatten() {
        let path = starred(path);
        let methods = item.as_object().into_iter().flat_map(Map::keys);
        let resources = methods.map(|method| {
            let method = if method == ANY { "*".to_owned() } else { method.to_uppercase() };
            json!({"Fn::Sub": [format!("execute-api:/${{__Stage__}}/{method}{path}"), {"__Stage__": stage}]})
        });
        let resources = Value::Array(resources.collect());
        for statement in statements(policy, &resources) {
            if !all.contains(&statement) {
                all.push(statement);
            }
        }
    }
    for statement in policy.get("CustomStatements").map(super::tree::listed).unwrap_or_default() {
        if !all.contains(&statement) {
            all.push(statement);
        }
    }
    if let (false, Some(body)) = (all.is_empty(), body.as_object_mut()) {
        body.insert("x-amazon-apigateway-policy".to_owned(), json!({"Version": "2012-10-17", "Statement": all}));
    }
}
