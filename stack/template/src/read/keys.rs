//! `AWS::ApiGateway::ApiKey`, and the usage plans that assign keys to APIs. A key without a plan
//! for an API gives no access there.

use faults::Complaint;
use serde_json::Value;

use super::apis::Resource;
use crate::apis::ApiKey;
use crate::intrinsics::Names;

/// The shortest and the longest value of a key. Source: API Gateway API reference, CreateApiKey.
const SHORTEST: usize = 20;
const LONGEST: usize = 128;

/// The parts of a template that make up keys.
pub(crate) struct Parts<'a> {
    /// `AWS::ApiGateway::ApiKey`.
    pub(crate) keys: Vec<Resource<'a>>,
    /// `AWS::ApiGateway::UsagePlan`.
    pub(crate) plans: Vec<Resource<'a>>,
    /// `AWS::ApiGateway::UsagePlanKey`.
    pub(crate) joins: Vec<Resource<'a>>,
}

/// The keys, each with the logical id of an API that it gives access to.
pub(crate) fn read(parts: &Parts<'_>, names: &Names, complaints: &mut Vec<Complaint>) -> Vec<(String, ApiKey)> {
    let mut complain = |at: String, what: String| complaints.push(Complaint::new(at, what));
    let keys: Vec<_> = parts.keys.iter().map(|(resource, declared)| key(resource, declared, names, &mut complain)).collect();
    let plans: Vec<_> = parts.plans.iter().map(|(resource, declared)| plan(resource, declared, &mut complain)).collect();
    let mut opened = Vec::new();
    for (resource, declared) in &parts.joins {
        only(resource, declared, &["KeyId", "KeyType", "UsagePlanId"], &[], &mut complain);
        if property(declared, "KeyType").and_then(Value::as_str) != Some("API_KEY") {
            complain(format!("{resource}.KeyType"), "expected `API_KEY`".to_owned());
        }
        let (key_id, plan_id) = (reference(property(declared, "KeyId")), reference(property(declared, "UsagePlanId")));
        let key = keys.iter().find(|(key, _)| Some(key.id.as_str()) == key_id);
        let plan = plans.iter().find(|plan| Some(plan.resource) == plan_id);
        match (key, plan) {
            (Some((key, true)), Some(plan)) => opened.extend(plan.apis.iter().map(|api| ((*api).to_owned(), key.clone()))),
            (Some((_, false)), Some(_)) => {}
            (None, _) => {
                complain(format!("{resource}.KeyId"), "must be a `Ref` to an `AWS::ApiGateway::ApiKey` of the template".to_owned())
            }
            (_, None) => {
                complain(
                    format!("{resource}.UsagePlanId"),
                    "must be a `Ref` to an `AWS::ApiGateway::UsagePlan` of the template".to_owned(),
                );
            }
        }
    }
    opened
}

struct Plan<'a> {
    resource: &'a str,
    /// The logical ids of the APIs that it is for.
    apis: Vec<&'a str>,
}

/// A key, and whether it is enabled; the default is disabled.
fn key(resource: &str, declared: &Value, names: &Names, complain: &mut dyn FnMut(String, String)) -> (ApiKey, bool) {
    only(resource, declared, &["Enabled", "Value"], &["Name", "Description", "GenerateDistinctId", "Tags"], complain);
    let enabled = match property(declared, "Enabled") {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Bool(true)) => true,
        Some(other) => {
            complain(format!("{resource}.Enabled"), format!("found `{other}`, expected true or false"));
            false
        }
    };
    let value = property(declared, "Value").and_then(|value| match names.text(value) {
        Ok(text) if (SHORTEST..=LONGEST).contains(&text.len()) => Some(text),
        // The value is not shown: it may be a secret.
        Ok(_) => {
            complain(format!("{resource}.Value"), format!("a key has {SHORTEST} to {LONGEST} characters"));
            None
        }
        Err(why) => {
            complain(format!("{resource}.Value"), why);
            None
        }
    });
    (ApiKey { id: resource.to_owned(), value }, enabled)
}

fn plan<'a>(resource: &'a str, declared: &'a Value, complain: &mut dyn FnMut(String, String)) -> Plan<'a> {
    only(resource, declared, &["ApiStages"], &["UsagePlanName", "Description", "Tags"], complain);
    let stages = property(declared, "ApiStages").and_then(Value::as_array).into_iter().flatten();
    let mut apis = Vec::new();
    for (n, stage) in stages.enumerate() {
        match reference(stage.get("ApiId")) {
            Some(api) => apis.push(api),
            None => complain(format!("{resource}.ApiStages[{n}].ApiId"), "must be a `Ref` to an API of the template".to_owned()),
        }
    }
    Plan { resource, apis }
}

fn property<'a>(declared: &'a Value, key: &str) -> Option<&'a Value> {
    declared.get("Properties")?.get(key)
}

/// The logical id of a `Ref`.
fn reference(value: Option<&Value>) -> Option<&str> {
    value?.get("Ref")?.as_str()
}

/// Complains about every property that is neither read nor known to have no effect here.
fn only(resource: &str, declared: &Value, read: &[&str], without_effect: &[&str], complain: &mut dyn FnMut(String, String)) {
    for (key, _) in declared.get("Properties").and_then(Value::as_object).into_iter().flatten() {
        if !read.contains(&key.as_str()) && !without_effect.contains(&key.as_str()) {
            complain(format!("{resource}.{key}"), format!("this is not understood here, there are: {}", read.join(", ")));
        }
    }
}
