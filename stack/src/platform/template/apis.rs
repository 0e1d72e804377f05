//! The APIs of a template and the events that are their methods. Events of queues and streams are read elsewhere, any other is a complaint.

use std::collections::BTreeMap;
use std::time::Duration;

use faults::Complaint;
use serde_json::Value;

use super::intrinsics::Names;
use crate::platform::gateway::{Api, Authorizer, Route, Routes};
use crate::platform::names::function_name;

/// SAM's default for `ReauthorizeEvery`.
const REAUTHORIZE: u64 = 300;

type Resource<'a> = (&'a String, &'a Value);

/// An API and what its methods get where they say nothing.
struct Declared {
    resource: String,
    api: Api,
    default_authorizer: Option<String>,
}

/// Reads the APIs, and their methods from the functions' events.
pub(super) fn read(apis: &[Resource<'_>], functions: &[Resource<'_>], names: &Names, complaints: &mut Vec<Complaint>) -> Routes {
    let mut declared: Vec<Declared> = apis.iter().map(|(resource, api)| read_api(resource, api, names, complaints)).collect();
    for (index, one) in declared.iter().enumerate() {
        if declared.iter().take(index).any(|other| other.api.stage == one.api.stage) {
            let what = format!("found `{}`, which another API has: the stage tells them apart here", one.api.stage);
            complaints.push(Complaint::new(format!("{}.StageName", one.resource), what));
        }
    }
    for (resource, function) in functions {
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
    Routes { apis: declared.into_iter().map(|declared| declared.api).collect() }
}

fn read_api(resource: &str, api: &Value, names: &Names, complaints: &mut Vec<Complaint>) -> Declared {
    let mut complain = |key: &str, what: String| complaints.push(Complaint::new(format!("{resource}.{key}"), what));
    let mut read = Api {
        id: resource.to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(10).collect(),
        stage: String::new(),
        variables: BTreeMap::new(),
        authorizers: BTreeMap::new(),
        routes: Vec::new(),
    };
    let mut default_authorizer = None;
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
            "Auth" => {
                let known = ["DefaultAuthorizer", "Authorizers", "AddDefaultAuthorizerToCorsPreflight"];
                for other in value.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| !known.contains(&key.as_str())) {
                    complain(&format!("Auth.{other}"), format!("there are: {}", known.join(", ")));
                }
                default_authorizer = value.get("DefaultAuthorizer").and_then(Value::as_str).map(str::to_owned);
                for (name, authorizer) in value.get("Authorizers").and_then(Value::as_object).into_iter().flatten() {
                    match read_authorizer(authorizer, names) {
                        Ok(authorizer) => drop(read.authorizers.insert(name.clone(), authorizer)),
                        Err(why) => complain(&format!("Auth.Authorizers.{name}"), why),
                    }
                }
                if let Some(name) = default_authorizer.as_ref().filter(|name| !read.authorizers.contains_key(*name)) {
                    complain("Auth.DefaultAuthorizer", format!("found `{name}`, which is none of the authorizers"));
                }
            }
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
    Declared { resource: resource.to_owned(), api: read, default_authorizer }
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
    let mut read = Authorizer {
        function: function_name(&arn).to_owned(),
        identity_headers: Vec::new(),
        reauthorize_every: Duration::from_secs(REAUTHORIZE),
    };
    for (key, value) in fields.get("Identity").and_then(Value::as_object).into_iter().flatten() {
        match (key.as_str(), value) {
            ("Headers", Value::Array(headers)) => {
                let headers = headers.iter().map(|header| names.text(header).map(|header| header.to_lowercase()));
                read.identity_headers = headers.collect::<Result<_, _>>()?;
            }
            ("ReauthorizeEvery", value) => {
                let text = names.text(value)?;
                let seconds = text.parse().map_err(|_| format!("found `{text}` for `ReauthorizeEvery`, expected seconds"))?;
                read.reauthorize_every = Duration::from_secs(seconds);
            }
            (other, _) => return Err(format!("found `Identity.{other}`, there are: Headers (a list), ReauthorizeEvery")),
        }
    }
    Ok(read)
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
    let authorizer = match property("Auth").and_then(|auth| auth.get("Authorizer")).and_then(Value::as_str) {
        Some("NONE") => None,
        Some(name) if api.api.authorizers.contains_key(name) => Some(name.to_owned()),
        Some(name) => return Err(complaint(format!("found `{name}`, which is none of the API's authorizers"))),
        None => api.default_authorizer.clone(),
    };
    let method = text("Method")?.to_uppercase();
    let method = Some(method).filter(|method| method != "ANY" && method != "X-AMAZON-APIGATEWAY-ANY-METHOD");
    api.api.routes.push(Route { resource: text("Path")?.to_owned(), method, function: function.to_owned(), authorizer });
    Ok(())
}
