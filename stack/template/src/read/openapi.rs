//! The methods of an API from its OpenAPI document, with AWS's extensions.

use std::collections::BTreeMap;

use serde_json::Value;

use super::authorizers::{self, Fields, IN_DOCUMENT};
use super::functions::cors;
use super::integrations::{self, Names};
use super::section::Section;
use crate::apis::{ApiKind, Authorizer, Cors, Route};

/// What a document says of an API.
#[derive(Default)]
pub(crate) struct Document {
    pub routes: Vec<Route>,
    pub authorizers: BTreeMap<String, Authorizer>,
    pub binary: Vec<String>,
    pub cors: Option<Cors>,
    pub policy: Option<Value>,
}

/// The methods of a path. Source: OpenAPI 3.0, "Path Item Object", and API Gateway developer guide,
/// "x-amazon-apigateway-any-method object".
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method"];

/// A security scheme.
enum Scheme {
    /// A key of the API.
    Key,
    /// An authorizer that is served.
    Authorizer,
    /// An authorizer that is not served: its methods are not either.
    NotServed,
    /// Of no meaning to API Gateway, as at AWS.
    Foreign,
}

/// Reads a document.
pub(crate) fn read(body: &Section<'_>, of: ApiKind) -> Document {
    let mut document = Document {
        binary: body.texts("x-amazon-apigateway-binary-media-types"),
        cors: body.has("x-amazon-apigateway-cors").then(|| cors(&body.within("x-amazon-apigateway-cors"), true)),
        policy: body.value("x-amazon-apigateway-policy").cloned(),
        ..Document::default()
    };
    if body.has("security") {
        body.notice("security", "it is read at each method only, as API Gateway does");
    }
    let schemes = schemes(body, of, &mut document.authorizers);
    for (path, item) in body.within("paths").children() {
        let path = normal(path);
        for (name, method) in item.children().into_iter().filter(|(name, _)| METHODS.contains(&name.to_lowercase().as_str())) {
            let name = name.to_lowercase();
            let verb = (name != "x-amazon-apigateway-any-method").then(|| name.to_uppercase());
            let Some(integration) = integrations::read(&method.within("x-amazon-apigateway-integration"), &Names::IN_DOCUMENT, of) else {
                continue;
            };
            let mut route = Route { integration, ..Route::to_function(verb.as_deref(), path.clone(), "") };
            if secure(&method, &schemes, &mut route) {
                document.routes.push(route);
            } else {
                method.notice("security", "the authorizer is not served here, and so the method is not");
            }
        }
    }
    document
}

/// A path without a slash at its end, and `$default` without one before it. Source: API Gateway
/// removes a trailing slash.
fn normal(path: &str) -> String {
    match path {
        "/$default" | "$default" => "$default".to_owned(),
        "/" => "/".to_owned(),
        other => other.trim_end_matches('/').to_owned(),
    }
}

fn schemes(body: &Section<'_>, of: ApiKind, authorizers: &mut BTreeMap<String, Authorizer>) -> BTreeMap<String, Scheme> {
    let mut schemes = BTreeMap::new();
    let declared = body.within("securityDefinitions").children();
    for (name, scheme) in declared.into_iter().chain(body.within("components").within("securitySchemes").children()) {
        let header = scheme.text("name");
        let is_key = header.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("x-api-key"));
        let read = if scheme.text("x-amazon-apigateway-authtype").is_some_and(|kind| kind.eq_ignore_ascii_case("awsSigv4")) {
            Some(Authorizer::Iam)
        } else if scheme.has("x-amazon-apigateway-authorizer") {
            let section = scheme.within("x-amazon-apigateway-authorizer");
            let kind = section.text("type").unwrap_or_default().to_lowercase();
            authorizers::read(&Fields { kind, section, names: IN_DOCUMENT, header }, of)
        } else {
            let known = if is_key && of == ApiKind::Rest { Scheme::Key } else { Scheme::Foreign };
            schemes.insert(name.to_owned(), known);
            continue;
        };
        match read {
            Some(authorizer) => {
                schemes.insert(name.to_owned(), Scheme::Authorizer);
                authorizers.insert(name.to_owned(), authorizer);
            }
            None => drop(schemes.insert(name.to_owned(), Scheme::NotServed)),
        }
    }
    schemes
}

/// Sets who may call a method; false if its authorizer is not served.
fn secure(method: &Section<'_>, schemes: &BTreeMap<String, Scheme>, route: &mut Route) -> bool {
    for requirement in method.each("security") {
        for name in requirement.keys() {
            match schemes.get(name) {
                Some(Scheme::Key) => route.key_required = true,
                Some(Scheme::Authorizer) if route.authorizer.is_none() => {
                    route.authorizer = Some(name.to_owned());
                    route.scopes = requirement.texts(name);
                }
                Some(Scheme::Authorizer) => {}
                Some(Scheme::NotServed) => return false,
                Some(Scheme::Foreign) => method.notice("security", format!("`{name}` is no authorizer of API Gateway, which ignores it")),
                // SAM's own words for a method without an authorizer or a key.
                None if matches!(name, "NONE" | "api_key_false") => {}
                None => {
                    method.complain("security", format!("found `{name}`, which the document does not define"));
                    return false;
                }
            }
        }
    }
    true
}
