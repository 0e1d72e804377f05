//! Reads a SAM or CloudFormation template, so that the deployed template also runs here. What AWS
//! would refuse is a complaint that names the resource, what is not served here is a notice.

pub mod account;
pub mod apis;
pub mod blueprint;
mod conditions;
mod findings;
pub mod integrations;
mod intrinsics;
mod read;
mod sam;
pub mod yaml;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use serde_json::Value;

use account::{ACCOUNT, REGION};
use apis::Api;
use blueprint::Blueprint;
use findings::Findings;
use intrinsics::Names;
use read::declared::{self, Resources};
use read::section::Known;
use read::{http, physical, rest};

/// What a template deploys, as far as it runs on this platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What the gateway serves.
    pub apis: Vec<Api>,
    /// Everything else.
    pub blueprint: Blueprint,
    /// What is not served here.
    pub notices: Vec<Complaint>,
}

/// Everything in a template that AWS would refuse too.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; "))]
pub struct TemplateError(pub Vec<Complaint>);

/// The files beside a template that it may name.
pub struct Beside<'a> {
    /// The text of a file, or why it is not read.
    pub file: &'a dyn Fn(&str) -> Result<String, String>,
    /// Whether there is such a file.
    pub has_file: &'a dyn Fn(&str) -> bool,
    /// The text of the assets manifest that `cdk synth` writes beside the template.
    pub assets: Option<String>,
}

impl Template {
    /// Reads a template without files; `parameters` are those that differ from their defaults.
    ///
    /// # Errors
    /// All complaints at once, each with its resource.
    pub fn read(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let file = |path: &str| Err(format!("`{path}` cannot be read: this template has no folder"));
        Self::read_beside(text, parameters, &Beside { file: &file, has_file: &|_| false, assets: None })
    }

    /// Reads a template and the files that it names.
    ///
    /// # Errors
    /// All complaints at once, each with its resource.
    pub fn read_beside(text: &str, parameters: &BTreeMap<String, String>, beside: &Beside<'_>) -> Result<Self, TemplateError> {
        let template = yaml::read(text).map_err(|why| TemplateError(vec![Complaint::new("template", why)]))?;
        let mut findings = Findings::default();
        let mut names = names(&template, parameters, &mut findings.complaints);
        let (resources, globals) = conditions::resolve(&template, &names, &mut findings.complaints);
        let resources = resources.into_iter().map(|(id, resource)| (id, filled(resource, &names))).collect();
        let globals = globals.into_iter().map(|(id, section)| (id, filled(section, &names))).collect();
        let resources = sam::expand(resources, &globals, &mut findings);
        let arns = physical::name_all(&resources, &mut names, &mut findings.complaints);
        let assets = beside.assets.as_deref().map(assets).unwrap_or_default();
        let known = Known { arns: &arns, findings: RefCell::new(findings), file: beside.file, has_file: beside.has_file, assets };
        let plain = declared::resolve(&resources, &names, &known);
        let resources = Resources::new(&plain, &resources, &names, &known);
        let mut blueprint = declared::read(&resources);
        let mut apis = rest::read(&resources);
        apis.extend(http::read(&resources));
        declared::consistent(&blueprint, &known);
        declared::prune(&mut blueprint, &mut apis, &known);
        let Findings { complaints, notices } = known.findings.into_inner();
        if complaints.is_empty() { Ok(Self { apis, blueprint, notices }) } else { Err(TemplateError(complaints)) }
    }

    /// Joins what several templates deploy.
    ///
    /// # Errors
    /// If a name is declared twice.
    pub fn join(all: Vec<Self>) -> Result<Self, TemplateError> {
        let mut joined = Self { apis: Vec::new(), blueprint: Blueprint::default(), notices: Vec::new() };
        for template in all {
            joined.apis.extend(template.apis);
            joined.notices.extend(template.notices);
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

/// A value with every `Ref` to a parameter replaced.
fn filled(value: Value, parameters: &Names) -> Value {
    match value {
        Value::Object(fields) => {
            let parameter = fields.get("Ref").filter(|_| fields.len() == 1).and_then(Value::as_str).and_then(|name| parameters.0.get(name));
            match parameter {
                Some(text) => Value::String(text.clone()),
                None => Value::Object(fields.into_iter().map(|(key, value)| (key, filled(value, parameters))).collect()),
            }
        }
        Value::Array(list) => Value::Array(list.into_iter().map(|one| filled(one, parameters)).collect()),
        other => other,
    }
}

/// Where the code of each asset is. Source: AWS CDK, cloud assembly schema, asset manifest.
fn assets(manifest: &str) -> BTreeMap<String, String> {
    let manifest: Value = serde_json::from_str(manifest).unwrap_or_default();
    let files = manifest.get("files").and_then(Value::as_object).cloned().unwrap_or_default();
    files.into_iter().filter_map(|(hash, file)| Some((hash, file.get("source")?.get("path")?.as_str()?.to_owned()))).collect()
}
