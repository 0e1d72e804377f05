//! Reads a SAM template, so that the deployed template also runs here. Anything that it does not
//! understand and that matters is a complaint that names the resource.

pub mod account;
pub mod apis;
pub mod blueprint;
mod conditions;
pub mod integrations;
mod intrinsics;
mod read;
pub mod yaml;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use serde_json::Value;

use account::{ACCOUNT, REGION};
use apis::Api;
use blueprint::Blueprint;
use intrinsics::Names;
use read::functions::Reader;
use read::section::Known;
use read::{declared, keys, physical};

/// What a template deploys, as far as it runs on this platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What the gateway serves.
    pub apis: Vec<Api>,
    /// Everything else.
    pub blueprint: Blueprint,
}

/// Everything in a template that was not understood.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; "))]
pub struct TemplateError(pub Vec<Complaint>);

impl Template {
    /// Reads a template; `parameters` are the parameters that differ from their defaults.
    ///
    /// # Errors
    /// All complaints at once, each with its resource.
    pub fn read(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let template = yaml::read(text).map_err(|why| TemplateError(vec![Complaint::new("template", why)]))?;
        let mut complaints = Vec::new();
        let mut names = names(&template, parameters, &mut complaints);
        let (resources, globals) = conditions::resolve(&template, &names, &mut complaints);
        let arns = physical::name_all(&resources, &mut names, &mut complaints);
        let globals_of_functions = globals.get("Function").and_then(Value::as_object).cloned().unwrap_or_default();
        for other in globals.keys().filter(|key| *key != "Function") {
            complaints.push(Complaint::new(format!("Globals.{other}"), "write it at each resource"));
        }
        let of_type = |kind: &str| {
            resources.iter().filter(move |(_, resource)| resource.get("Type").and_then(Value::as_str) == Some(kind)).collect::<Vec<_>>()
        };
        let mut functions = Vec::new();
        for (resource, declared) in of_type("AWS::Serverless::Function") {
            let mut reader = Reader { resource, names: &names, complaints: &mut complaints };
            functions.push(reader.function(declared, &globals_of_functions));
        }
        let parts = read::apis::Parts {
            apis: of_type("AWS::Serverless::Api"),
            functions: of_type("AWS::Serverless::Function"),
            keys: keys::Parts {
                keys: of_type("AWS::ApiGateway::ApiKey"),
                plans: of_type("AWS::ApiGateway::UsagePlan"),
                joins: of_type("AWS::ApiGateway::UsagePlanKey"),
            },
        };
        let apis = read::apis::read(&parts, &names, &mut complaints);
        let known = Known { names: &names, arns: &arns, complaints: RefCell::new(complaints) };
        let blueprint = declared::read(&resources, functions, &known);
        let complaints = known.complaints.into_inner();
        if complaints.is_empty() { Ok(Self { apis, blueprint }) } else { Err(TemplateError(complaints)) }
    }

    /// Joins what several templates deploy.
    ///
    /// # Errors
    /// If a name is declared twice.
    pub fn join(all: Vec<Self>) -> Result<Self, TemplateError> {
        let mut joined = Self { apis: Vec::new(), blueprint: Blueprint::default() };
        for template in all {
            joined.apis.extend(template.apis);
            joined.blueprint.extend(template.blueprint);
        }
        let mut known = BTreeSet::new();
        let twice = joined.blueprint.names().filter(|named| !known.insert(*named));
        let complaints: Vec<_> =
            twice.map(|(kind, name)| Complaint::new(name, format!("another {kind} of the stack has this name"))).collect();
        if complaints.is_empty() { Ok(joined) } else { Err(TemplateError(complaints)) }
    }
}

fn names(template: &Value, parameters: &BTreeMap<String, String>, complaints: &mut Vec<Complaint>) -> Names {
    let pseudo = [
        ("AWS::Region", REGION),
        ("AWS::AccountId", ACCOUNT),
        ("AWS::Partition", "aws"),
        ("AWS::URLSuffix", "amazonaws.com"),
        ("AWS::StackName", "brownout"),
    ];
    let mut names: BTreeMap<String, String> = pseudo.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let declared = template.get("Parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, parameter) in &declared {
        match parameter.get("Default") {
            Some(Value::String(text)) => drop(names.insert(name.clone(), text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => drop(names.insert(name.clone(), value.to_string())),
            _ => {}
        }
    }
    for name in parameters.keys().filter(|name| !declared.contains_key(*name)) {
        complaints.push(Complaint::new(name, "the template has no such parameter"));
    }
    names.extend(parameters.clone());
    Names(names)
}
