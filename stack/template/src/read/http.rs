//! HTTP APIs: `AWS::ApiGatewayV2::Api` with a document or with routes and integrations, and its
//! stages.

use std::collections::BTreeMap;

use super::authorizers::{self, Fields, IN_RESOURCE};
use super::declared::Resources;
use super::functions::cors;
use super::integrations::{self, Names};
use super::openapi::Document;
use super::rest::{authorize, document};
use super::section::Section;
use crate::apis::{Api, ApiKind, Integration, Payload, Route};

/// Properties of an API without effect here.
const WITHOUT_EFFECT: [&str; 7] =
    ["Name", "Description", "Version", "Tags", "FailOnWarnings", "DisableExecuteApiEndpoint", "IpAddressType"];

/// Reads all HTTP APIs, each at every one of its stages.
pub(crate) fn read(resources: &Resources<'_>) -> Vec<Api> {
    let mut apis = Vec::new();
    for (resource, api) in resources.of("AWS::ApiGatewayV2::Api") {
        if api.text("ProtocolType").as_deref() == Some("WEBSOCKET") {
            api.notice("ProtocolType", "WebSocket APIs are not served here");
            continue;
        }
        let read = ["ProtocolType", "Body", "BodyS3Location", "CorsConfiguration", "Target", "RouteKey", "BasePath"];
        api.only(&read, &WITHOUT_EFFECT);
        let id = resources.known.arns.name(resource);
        let mut document = document(resources, &api, ApiKind::Http);
        add_routes(resources, &id, &mut document);
        let mut stages = stages(resources, &id);
        quick(&api, &mut document, &mut stages);
        if api.has("CorsConfiguration") {
            document.cors = Some(cors(&api.within("CorsConfiguration"), false));
        }
        if stages.is_empty() {
            api.notice("", "the API has no stage, so nothing reaches it");
        }
        for (n, (stage, variables)) in stages.into_iter().enumerate() {
            let name = if n == 0 { resource.to_owned() } else { format!("{resource}:{stage}") };
            apis.push(Api {
                id: id.clone(),
                variables,
                authorizers: document.authorizers.clone(),
                routes: document.routes.clone(),
                cors: document.cors.clone(),
                ..Api::new(ApiKind::Http, name, stage)
            });
        }
    }
    apis
}

type Stages = Vec<(String, BTreeMap<String, String>)>;

fn stages(resources: &Resources<'_>, id: &str) -> Stages {
    let mut stages = Vec::new();
    for (_, stage) in resources.of("AWS::ApiGatewayV2::Stage") {
        if stage.text("ApiId").as_deref() != Some(id) {
            continue;
        }
        let without = ["Description", "AccessLogSettings", "DefaultRouteSettings", "RouteSettings", "AutoDeploy", "DeploymentId", "Tags"];
        stage.only(&["ApiId", "StageName", "StageVariables"], &without);
        stages.push((stage.needed("StageName"), stage.within("StageVariables").text_fields()));
    }
    stages
}

/// A quick create. Source: API Gateway V2 API reference, CreateApi: `target` makes a default route
/// and a stage; payload 2.0.
fn quick(api: &Section<'_>, document: &mut Document, stages: &mut Stages) {
    if !api.has("Target") {
        return;
    }
    let Some(name) = api.function("Target") else { return };
    let integration = Integration::Function { name, payload: Payload::V2, streams: false, timeout: None };
    let (method, path) = key(&api.text("RouteKey").unwrap_or_else(|| "$default".to_owned()));
    document.routes.push(Route { integration, ..Route::to_function(method.as_deref(), path, "") });
    if stages.is_empty() {
        stages.push(("$default".to_owned(), BTreeMap::new()));
    }
}

/// A route key such as `GET /items`, `ANY /x` or `$default`.
fn key(text: &str) -> (Option<String>, String) {
    match text.split_once(' ') {
        Some((method, path)) => (Some(method.to_uppercase()).filter(|method| method != "ANY"), path.trim().to_owned()),
        None => (None, text.to_owned()),
    }
}

fn add_routes(resources: &Resources<'_>, id: &str, document: &mut Document) {
    let of_api = |section: &Section<'_>| section.text("ApiId").as_deref() == Some(id);
    for (resource, authorizer) in resources.of("AWS::ApiGatewayV2::Authorizer").filter(|(_, one)| of_api(one)) {
        authorizer.only(&IN_RESOURCE, &["ApiId", "Name", "AuthorizerType", "AuthorizerCredentialsArn"]);
        let kind = authorizer.needed("AuthorizerType").to_lowercase();
        let fields = Fields { kind, section: authorizer, names: IN_RESOURCE, header: None };
        if let Some(read) = authorizers::read(&fields, ApiKind::Http) {
            document.authorizers.insert(resource.to_owned(), read);
        }
    }
    let integrations: BTreeMap<_, _> = resources.of("AWS::ApiGatewayV2::Integration").collect();
    for (_, route) in resources.of("AWS::ApiGatewayV2::Route").filter(|(_, one)| of_api(one)) {
        let read = ["ApiId", "RouteKey", "Target", "AuthorizationType", "AuthorizerId", "AuthorizationScopes"];
        route.only(&read, &["OperationName", "ApiKeyRequired"]);
        let target = route.needed("Target");
        let Some(integration) = target.strip_prefix("integrations/").and_then(|id| integrations.get(id)) else {
            route.complain("Target", format!("found `{target}`, expected `integrations/` and the id of an integration of the template"));
            continue;
        };
        let read = ["ApiId", "IntegrationType", "IntegrationUri", "PayloadFormatVersion", "TimeoutInMillis"];
        integration.only(&read, &["Description", "IntegrationMethod", "ConnectionType", "CredentialsArn"]);
        let Some(integration) = integrations::read(integration, &Names::IN_RESOURCE, ApiKind::Http) else { continue };
        let (method, path) = key(&route.needed("RouteKey"));
        let mut read = Route { integration, ..Route::to_function(method.as_deref(), path, "") };
        read.scopes = route.texts("AuthorizationScopes");
        if authorize(&route, document, &mut read) {
            document.routes.push(read);
        } else {
            route.notice("AuthorizerId", "the authorizer is not served here, and so the route is not");
        }
    }
}
