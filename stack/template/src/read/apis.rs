//! The APIs of a template and the events that are their methods. Events of queues and streams are
//! read elsewhere, any other is a complaint.

use std::collections::BTreeMap;
use std::time::Duration;

use faults::Complaint;
use serde_json::Value;

use super::keys;
use crate::account::function_name;
use crate::apis::{Api, ApiKind, Authorizer, Identity, Payload, Route};
use crate::intrinsics::Names;

/// SAM's default for `ReauthorizeEvery`.
const REAUTHORIZE: u64 = 300;

/// A resource: its logical id and what is declared.
pub(crate) type Resource<'a> = (&'a String, &'a Value);

/// An API, with the defaults of its methods.
struct Declared {
    resource: String,
    api: Api,
    default_authorizer: Option<String>,
    key_required: bool,
}

/// The parts of a template that make up its APIs.
pub(crate) struct Parts<'a> {
    pub(crate) apis: Vec<Resource<'a>>,
    pub(crate) functions: Vec<Resource<'a>>,
    /// The parts that make up their keys.
    pub(crate) keys: keys::Parts<'a>,
}

/// Reads the APIs, and their methods from the functions' events.
pub(crate) fn read(parts: &Parts<'_>, names: &Names, complaints: &mut Vec<Complaint>) -> Vec<Api> {
    let mut declared: Vec<Declared> = parts.apis.iter().map(|(resource, api)| read_api(resource, api, names, complaints)).collect();
    for (index, one) in declared.iter().enumerate() {
        if declared.iter().take(index).any(|other| other.api.id == one.api.id) {
            let what = format!("found `{}`, which another API has: their names begin alike", one.api.id);
            complaints.push(Complaint::new(&one.resource, what));
        }
    }
    for (api, key) in keys::read(&parts.keys, names, complaints) {
        match declared.iter_mut().find(|declared| declared.resource == api) {
            Some(declared) => declared.api.keys.push(key),
            None => complaints.push(Complaint::new(&key.id, format!("found `{api}`, which is no `AWS::Serverless::Api` of the template"))),
        }
    }
    for (resource, function) in &parts.functions {
        let name = names.0.get(resource.as_str()).cloned().unwrap_or_default();
        let events = function.get("Properties").and_then(|properties| properties.get("Events")).and_then(Value::as_object);
        for (event, declared_event) in events.into_iter().flatten() {
            if matches!(declared_event.get("Type").and_then(Value::as_str), Some("SQS" | "DynamoDB")) {
                continue;
            }
            let key = format!("{resource}.Events.{event}");
            if let Err(complaint) = read_event(&key, declared_event, &name, &mut declared) {
                complaints.push(complaint);
            }
        }
    }
    declared.into_iter().map(|declared| declared.api).collect()
}

fn read_api(resource: &str, api: &Value, names: &Names, complaints: &mut Vec<Complaint>) -> Declared {
    let mut complain = |key: &str, what: String| complaints.push(Complaint::new(format!("{resource}.{key}"), what));
    let mut read = Api::new(ApiKind::Rest, resource, "");
    let mut auth = Auth::default();
    let properties = api.get("Properties").and_then(Value::as_object);
    if properties.is_none_or(|properties| !properties.contains_key("StageName")) {
        complain("StageName", "found none".to_owned());
    }
    for (key, value) in properties.into_iter().flatten() {
        match key.as_str() {
            "StageName" => read.stage = names.text(value).map_err(|why| complain(key, why)).unwrap_or_default(),
            "Variables" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    match names.text(value) {
                        Ok(value) => drop(read.variables.insert(name.clone(), value)),
                        Err(why) => complain(&format!("Variables.{name}"), why),
                    }
                }
            }
            "Auth" => auth = read_auth(value, names, &mut |key, what| complain(&format!("Auth.{key}"), what)),
            "Name"
            | "Description"
            | "Tags"
            | "EndpointConfiguration"
            | "TracingEnabled"
            | "MethodSettings"
            | "AccessLogSetting"
            | "OpenApiVersion" => {}
            other => complain(other, "this property is not understood here".to_owned()),
        }
    }
    read.authorizers = auth.authorizers;
    Declared { resource: resource.to_owned(), api: read, default_authorizer: auth.default_authorizer, key_required: auth.key_required }
}

/// An API's `Auth`.
#[derive(Default)]
struct Auth {
    authorizers: BTreeMap<String, Authorizer>,
    default_authorizer: Option<String>,
    key_required: bool,
}

fn read_auth(value: &Value, names: &Names, complain: &mut dyn FnMut(&str, String)) -> Auth {
    let mut auth = Auth::default();
    let known = ["DefaultAuthorizer", "Authorizers", "AddDefaultAuthorizerToCorsPreflight", "ApiKeyRequired"];
    for other in value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str())) {
        complain(other, format!("there are: {}", known.join(", ")));
    }
    match key_required(value) {
        Ok(required) => auth.key_required = required.unwrap_or_default(),
        Err(why) => complain("ApiKeyRequired", why),
    }
    for (name, authorizer) in value.get("Authorizers").and_then(Value::as_object).into_iter().flatten() {
        match read_authorizer(authorizer, names) {
            Ok(authorizer) => drop(auth.authorizers.insert(name.clone(), authorizer)),
            Err(why) => complain(&format!("Authorizers.{name}"), why),
        }
    }
    auth.default_authorizer = value.get("DefaultAuthorizer").and_then(Value::as_str).map(str::to_owned);
    if let Some(name) = auth.default_authorizer.as_ref().filter(|name| !auth.authorizers.contains_key(*name)) {
        complain("DefaultAuthorizer", format!("found `{name}`, which is none of the authorizers"));
    }
    auth
}

/// `ApiKeyRequired` of an `Auth`, if present. A value that is neither true nor false is an error,
/// so that it cannot grant access.
fn key_required(auth: &Value) -> Result<Option<bool>, String> {
    match auth.get("ApiKeyRequired") {
        None => Ok(None),
        Some(Value::Bool(required)) => Ok(Some(*required)),
        Some(Value::String(text)) if text == "true" || text == "false" => Ok(Some(text == "true")),
        Some(other) => Err(format!("found `{other}`, expected true or false")),
    }
}

fn read_authorizer(authorizer: &Value, names: &Names) -> Result<Authorizer, String> {
    let fields = authorizer.as_object().ok_or("expected a map")?;
    if let Some(other) = fields.keys().find(|key| !matches!(key.as_str(), "FunctionArn" | "FunctionPayloadType" | "Identity")) {
        return Err(format!("found `{other}`, there are: FunctionArn, FunctionPayloadType, Identity"));
    }
    if fields.get("FunctionPayloadType").is_some_and(|kind| kind != "REQUEST") {
        return Err("only `REQUEST` authorizers are served here, write `FunctionPayloadType: REQUEST`".to_owned());
    }
    let arn = names.text(fields.get("FunctionArn").ok_or("found no `FunctionArn`")?)?;
    let (mut identity, mut cached) = (Vec::new(), Duration::from_secs(REAUTHORIZE));
    for (key, value) in fields.get("Identity").and_then(Value::as_object).into_iter().flatten() {
        match (key.as_str(), value) {
            ("Headers", Value::Array(headers)) => {
                let headers = headers.iter().map(|header| names.text(header).map(|header| Identity::Header(header.to_lowercase())));
                identity = headers.collect::<Result<_, _>>()?;
            }
            ("ReauthorizeEvery", value) => {
                let text = names.text(value)?;
                let seconds = text.parse().map_err(|_| format!("found `{text}` for `ReauthorizeEvery`, expected seconds"))?;
                cached = Duration::from_secs(seconds);
            }
            (other, _) => return Err(format!("found `Identity.{other}`, there are: Headers (a list), ReauthorizeEvery")),
        }
    }
    Ok(Authorizer::Request { function: function_name(&arn).to_owned(), identity, cached, payload: Payload::V1, simple: false })
}

fn read_event(key: &str, event: &Value, function: &str, apis: &mut [Declared]) -> Result<(), Complaint> {
    let complaint = |what: String| Complaint::new(key, what);
    if event.get("Type").and_then(Value::as_str) != Some("Api") {
        return Err(complaint("only events of the types `Api`, `SQS` and `DynamoDB` are served here".to_owned()));
    }
    let properties = event.get("Properties").and_then(Value::as_object).into_iter().flatten();
    if let Some((other, _)) = properties.into_iter().find(|(key, _)| !matches!(key.as_str(), "RestApiId" | "Path" | "Method" | "Auth")) {
        return Err(complaint(format!("found `{other}`, there are: RestApiId, Path, Method, Auth")));
    }
    let property = |name: &str| event.get("Properties").and_then(|properties| properties.get(name));
    let text = |name: &str| property(name).and_then(Value::as_str).ok_or_else(|| complaint(format!("found no `{name}`")));
    let api = property("RestApiId").and_then(|id| id.get("Ref")).and_then(Value::as_str);
    let api = apis.iter_mut().find(|declared| Some(declared.resource.as_str()) == api);
    let api = api.ok_or_else(|| complaint("`RestApiId` must be a `Ref` to an `AWS::Serverless::Api` of the template".to_owned()))?;
    let auth = property("Auth").cloned().unwrap_or_default();
    if let Some(other) =
        auth.as_object().into_iter().flatten().map(|(key, _)| key).find(|key| !matches!(key.as_str(), "Authorizer" | "ApiKeyRequired"))
    {
        return Err(complaint(format!("found `Auth.{other}`, there are: Authorizer, ApiKeyRequired")));
    }
    let key_required = key_required(&auth).map_err(|why| complaint(format!("`Auth.ApiKeyRequired`: {why}")))?;
    let authorizer = match auth.get("Authorizer").and_then(Value::as_str) {
        Some("NONE") => None,
        Some(name) if api.api.authorizers.contains_key(name) => Some(name.to_owned()),
        Some(name) => return Err(complaint(format!("found `{name}`, which is none of the API's authorizers"))),
        None => api.default_authorizer.clone(),
    };
    let method = text("Method")?.to_uppercase();
    let method = Some(method).filter(|method| method != "ANY" && method != "X-AMAZON-APIGATEWAY-ANY-METHOD");
    let key_required = key_required.unwrap_or(api.key_required);
    api.api.routes.push(Route { authorizer, key_required, ..Route::to_function(method.as_deref(), text("Path")?, function) });
    Ok(())
}
