//! `AWS::Serverless::HttpApi`: an HTTP API with an OpenAPI document and a stage.

use serde_json::{Map, Value, json};

use super::functions::stored;
use super::tree::{field, is_intrinsic, reference, resource};
use super::{Expansion, alphanumeric};

/// The fields of `CorsConfiguration` and their names in a document.
const CORS: [(&str, &str); 6] = [
    ("AllowOrigins", "allowOrigins"),
    ("AllowHeaders", "allowHeaders"),
    ("AllowMethods", "allowMethods"),
    ("ExposeHeaders", "exposeHeaders"),
    ("MaxAge", "maxAge"),
    ("AllowCredentials", "allowCredentials"),
];

impl Expansion<'_> {
    pub(super) fn http_api(&mut self, id: &str, fields: &Map<String, Value>) {
        let from_file = fields.get("DefinitionUri");
        if from_file.is_some() && fields.contains_key("DefinitionBody") {
            self.findings.complain(format!("{id}.DefinitionUri"), "`DefinitionBody` and `DefinitionUri` cannot both be given");
        }
        let empty = || json!({"openapi": "3.0.1", "info": {"version": "1.0", "title": {"Ref": "AWS::StackName"}}, "paths": {}});
        let declared = fields.get("DefinitionBody");
        let mut body = declared.cloned().unwrap_or_else(empty);
        let auth = fields.get("Auth").and_then(Value::as_object);
        if from_file.is_none() {
            let authorizers = auth.and_then(|auth| auth.get("Authorizers")).and_then(Value::as_object);
            if declared.is_some() {
                self.forget_declared(id, &body);
            }
            self.add_methods(id, &mut body, authorizers, false);
            self.add_http_cors(id, fields.get("CorsConfiguration"), &mut body);
            if let Some(auth) = auth {
                if auth.get("DefaultAuthorizer") == Some(&json!("AWS_IAM")) && auth.get("EnableIamAuthorizer") != Some(&json!(true)) {
                    self.findings.complain(format!("{id}.Auth.DefaultAuthorizer"), "`AWS_IAM` needs `EnableIamAuthorizer: true`");
                }
                self.add_auth(id, auth, &mut body, true);
            }
        }
        let api = json!({
            "Body": if from_file.is_some() { Value::Null } else { body },
            "BodyS3Location": from_file.map(|file| stored(file, ("Bucket", "Key", "Version"))),
            "FailOnWarnings": field(fields, "FailOnWarnings"),
            "Description": field(fields, "Description"),
            "DisableExecuteApiEndpoint": field(fields, "DisableExecuteApiEndpoint"),
        });
        self.add(id, resource("AWS::ApiGatewayV2::Api", api));
        let name = fields.get("StageName").cloned().unwrap_or_else(|| json!("$default"));
        let stage = match name.as_str() {
            Some("$default") => format!("{id}ApiGatewayDefaultStage"),
            text => format!("{id}{}Stage", alphanumeric(text)),
        };
        self.renamed.insert(format!("{id}.Stage"), stage.clone());
        let properties = json!({
            "ApiId": reference(id),
            "StageName": name,
            "StageVariables": field(fields, "StageVariables"),
            "AccessLogSettings": field(fields, "AccessLogSettings"),
            "DefaultRouteSettings": field(fields, "DefaultRouteSettings"),
            "RouteSettings": field(fields, "RouteSettings"),
            "AutoDeploy": true,
        });
        self.add(stage, resource("AWS::ApiGatewayV2::Stage", properties));
        if fields.contains_key("Domain") {
            self.findings.notice(format!("{id}.Domain"), "this is not served here");
        }
    }

    /// A method that the document declares with an integration is not replaced by an event's.
    fn forget_declared(&mut self, id: &str, body: &Value) {
        if let Some(methods) = self.methods.get_mut(id) {
            methods.retain(|method| !method.is_in(body));
        }
    }

    fn add_http_cors(&mut self, id: &str, cors: Option<&Value>, body: &mut Value) {
        let mut made = Map::new();
        match cors {
            None | Some(Value::Null | Value::Bool(false)) => return,
            Some(Value::Bool(true)) => drop(made.insert("allowOrigins".to_owned(), json!(["*"]))),
            Some(Value::Object(fields)) if !is_intrinsic(&json!(fields)) => {
                for (key, value) in fields {
                    match CORS.iter().find(|(name, _)| name == key) {
                        Some((_, name)) => drop(made.insert((*name).to_owned(), value.clone())),
                        None => self.findings.complain(format!("{id}.CorsConfiguration.{key}"), "CORS has no such setting"),
                    }
                }
            }
            Some(_) => self.findings.complain(format!("{id}.CorsConfiguration"), "expected true or a map"),
        }
        let everyone = made.get("allowOrigins") == Some(&json!(["*"]));
        if made.get("allowCredentials") == Some(&json!(true)) && everyone {
            self.findings.complain(format!("{id}.CorsConfiguration.AllowCredentials"), "cannot be true where `AllowOrigins` is `*`");
        }
        let Some(body) = body.as_object_mut() else { return };
        let before = body.entry("x-amazon-apigateway-cors").or_insert_with(|| json!({}));
        if let Some(before) = before.as_object_mut() {
            before.extend(made);
        }
    }
}
