//! REST APIs: `AWS::ApiGateway::RestApi` with a document or with resources and methods, its stages,
//! authorizers and keys.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::authorizers::{self, Fields, IN_RESOURCE};
use super::declared::Resources;
use super::integrations::{self, Names};
use super::keys;
use super::openapi::{self, Document};
use super::section::{Section, read_yaml};
use crate::apis::{Api, ApiKind, Authorizer, Route};

/// Properties of an API without effect here.
const WITHOUT_EFFECT: [&str; 9] = [
    "Name",
    "Description",
    "Tags",
    "EndpointConfiguration",
    "FailOnWarnings",
    "CloneFrom",
    "DisableExecuteApiEndpoint",
    "MinimumCompressionSize",
    "SecurityPolicy",
];

/// A resource of an API can be this deep; more is a circle.
const DEEPEST: usize = 64;

/// Reads all REST APIs, each at every one of its stages.
pub(crate) fn read(resources: &Resources<'_>) -> Vec<Api> {
    let keys = keys::read(resources);
    let mut apis = Vec::new();
    for (resource, api) in resources.of("AWS::ApiGateway::RestApi") {
        api.only(&["Body", "BodyS3Location", "BinaryMediaTypes", "Policy", "ApiKeySourceType", "Mode", "Parameters"], &WITHOUT_EFFECT);
        api.is_served("ApiKeySourceType", &["HEADER"]);
        let id = resources.known.arns.name(resource);
        let mut document = document(resources, &api, ApiKind::Rest);
        add_methods(resources, &id, &mut document);
        // Source: CloudFormation, `AWS::ApiGateway::RestApi`: `~1` is a slash in a media type.
        document.binary.extend(api.texts("BinaryMediaTypes").into_iter().map(|kind| kind.replace("~1", "/")));
        let mut known = BTreeSet::new();
        document.binary.retain(|kind| known.insert(kind.clone()));
        let policy = api.value("Policy").cloned().or_else(|| document.policy.clone());
        // A policy may be a text with JSON.
        let policy = policy.map(|policy| policy.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(policy));
        let stages = stages(resources, &id);
        if stages.is_empty() {
            api.notice("", "the API has no stage, so nothing reaches it");
        }
        for (n, (stage, variables)) in stages.into_iter().enumerate() {
            let name = if n == 0 { resource.to_owned() } else { format!("{resource}:{stage}") };
            apis.push(Api {
                id: id.clone(),
                variables,
                authorizers: document.authorizers.clone(),
                keys: keys.iter().filter(|key| key.api == id && key.stage == stage).map(|key| key.key.clone()).collect(),
                routes: document.routes.clone(),
                binary: document.binary.clone(),
                policy: policy.clone(),
                ..Api::new(ApiKind::Rest, name, stage)
            });
        }
    }
    apis
}

/// The document of an API, in the template or in a file; an empty one if there is none.
pub(crate) fn document(resources: &Resources<'_>, api: &Section<'_>, kind: ApiKind) -> Document {
    let place = if api.has("Body") { "Body" } else { "BodyS3Location" };
    let parsed = match (api.value("Body"), api.value("BodyS3Location")) {
        (Some(Value::String(text)), _) => serde_json::from_str(text).map_err(|why| why.to_string()),
        (Some(body), _) => Ok(body.clone()),
        (None, Some(Value::String(path))) if !path.contains("://") => {
            api.known.file(path).and_then(|text| read_yaml(&text)).map(|body| resources.resolve(&api.place(place), &body))
        }
        (None, Some(_)) => {
            api.notice(place, "the document is in S3, which is not read: the API has no methods");
            return Document::default();
        }
        (None, None) => return Document::default(),
    };
    match parsed {
        Ok(body) => openapi::read(&api.known.section(api.place(place), Some(&body)), kind),
        Err(why) => {
            api.complain(place, why);
            Document::default()
        }
    }
}

/// The stages of an API with their variables.
fn stages(resources: &Resources<'_>, id: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut stages = Vec::new();
    let read = ["RestApiId", "StageName", "DeploymentId", "Variables", "CacheClusterEnabled", "CanarySetting"];
    let without = [
        "Description",
        "AccessLogSetting",
        "MethodSettings",
        "TracingEnabled",
        "CacheClusterSize",
        "ClientCertificateId",
        "DocumentationVersion",
        "Tags",
    ];
    for (_, stage) in resources.of("AWS::ApiGateway::Stage") {
        if stage.text("RestApiId").as_deref() != Some(id) {
            continue;
        }
        stage.only(&read, &without);
        if stage.flag("CacheClusterEnabled") {
            stage.notice("CacheClusterEnabled", "answers are not cached here");
        }
        if stage.has("CanarySetting") {
            stage.notice("CanarySetting", "this is not served here");
        }
        stages.push((stage.needed("StageName"), stage.within("Variables").text_fields()));
    }
    // A deployment may have a stage of its own; SAM's `Stage` beside a declared one is not served.
    for (_, deployment) in resources.of("AWS::ApiGateway::Deployment") {
        if deployment.text("RestApiId").as_deref() != Some(id) {
            continue;
        }
        deployment.only(&["RestApiId", "StageName", "StageDescription"], &["Description", "DeploymentCanarySettings"]);
        if let Some(name) = deployment.text("StageName")
            && stages.is_empty()
        {
            stages.push((name, deployment.within("StageDescription").within("Variables").text_fields()));
        }
    }
    stages
}

/// Adds the methods that are resources of their own.
fn add_methods(resources: &Resources<'_>, id: &str, document: &mut Document) {
    let of_api = |section: &Section<'_>| section.text("RestApiId").as_deref() == Some(id);
    for (resource, authorizer) in resources.of("AWS::ApiGateway::Authorizer").filter(|(_, one)| of_api(one)) {
        let without = ["RestApiId", "Name", "Type", "AuthType", "AuthorizerCredentials"];
        authorizer.only(&IN_RESOURCE, &without);
        let kind = authorizer.needed("Type").to_lowercase();
        let fields = Fields { kind, section: authorizer, names: IN_RESOURCE, header: None };
        if let Some(read) = authorizers::read(&fields, ApiKind::Rest) {
            document.authorizers.insert(resource.to_owned(), read);
        }
    }
    for (_, method) in resources.of("AWS::ApiGateway::Method").filter(|(_, one)| of_api(one)) {
        let read = [
            "RestApiId",
            "ResourceId",
            "HttpMethod",
            "Integration",
            "AuthorizationType",
            "AuthorizerId",
            "AuthorizationScopes",
            "ApiKeyRequired",
        ];
        method.only(&read, &["MethodResponses", "OperationName"]);
        for key in ["RequestValidatorId"].into_iter().filter(|key| method.has(key)) {
            method.notice(key, "requests are not validated here");
        }
        let path = path(resources, &method.needed("ResourceId"), DEEPEST);
        let verb = Some(method.needed("HttpMethod").to_uppercase()).filter(|verb| verb != "ANY");
        let Some(integration) = integrations::read(&method.within("Integration"), &Names::IN_METHOD, ApiKind::Rest) else { continue };
        let mut route = Route { integration, ..Route::to_function(verb.as_deref(), path, "") };
        route.key_required = method.flag("ApiKeyRequired");
        route.scopes = method.texts("AuthorizationScopes");
        if authorize(&method, document, &mut route) {
            document.routes.push(route);
        } else {
            method.notice("AuthorizerId", "the authorizer is not served here, and so the method is not");
        }
    }
}

/// Sets the authorizer of a route; false if it is not served.
pub(crate) fn authorize(method: &Section<'_>, document: &mut Document, route: &mut Route) -> bool {
    match method.text("AuthorizationType").as_deref() {
        None | Some("NONE") => true,
        Some("AWS_IAM") => {
            document.authorizers.insert("AWS_IAM".to_owned(), Authorizer::Iam);
            route.authorizer = Some("AWS_IAM".to_owned());
            true
        }
        Some("CUSTOM" | "COGNITO_USER_POOLS" | "JWT") => {
            route.authorizer = Some(method.needed("AuthorizerId"));
            route.authorizer.as_ref().is_some_and(|name| document.authorizers.contains_key(name))
        }
        Some(other) => {
            method.complain("AuthorizationType", format!("found `{other}`, there are: NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS, JWT"));
            false
        }
    }
}

/// The path of a resource; that of the API's root is `/`.
fn path(resources: &Resources<'_>, id: &str, deepest: usize) -> String {
    let found = resources.of("AWS::ApiGateway::Resource").find(|(resource, _)| *resource == id).filter(|_| deepest > 0);
    let Some((_, resource)) = found else { return "/".to_owned() };
    resource.only(&["RestApiId", "ParentId", "PathPart"], &[]);
    let parent = path(resources, &resource.needed("ParentId"), deepest - 1);
    format!("{}/{}", parent.trim_end_matches('/'), resource.needed("PathPart"))
}
