//! Reads a template, so that what is deployed on AWS also runs here. First everything is resolved
//! that depends on parameters, then references between resources are, then the resources are read.
//! What is not served is a notice, what AWS would refuse is refused here.

pub mod account;
pub mod apis;
pub mod blueprint;
mod cidr;
mod conditions;
pub mod files;
pub mod find;
mod findings;
mod foreach;
mod functions;
pub mod integrations;
mod intrinsics;
pub mod notices;
mod nulls;
mod parameters;
mod places;
mod read;
mod references;
mod resolve;
mod sam;
pub mod samconfig;
mod schema;
mod sections;
pub mod summary;
pub mod yaml;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use serde_json::{Map, Value};

use apis::Api;
use blueprint::Blueprint;
use files::{Files, NoFiles};
use findings::Findings;
use intrinsics::Names;
use notices::{Notice, Refusal};
pub use parameters::Missing;
use read::declared::{self, Resources};
use read::section::Known;
use read::{http, physical, rest};
use references::References;
use run_folder::Place;
use sections::Declared;
use yaml::{Document, Spot};

/// A template to read.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its text.
    pub text: &'a str,
    /// The parameters that differ from their defaults, and values of other stacks' exports.
    pub parameters: &'a BTreeMap<String, String>,
    /// The files beside it.
    pub files: &'a dyn Files,
}

/// What a template deploys, as far as it runs on this platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// What the gateway serves.
    pub apis: Vec<Api>,
    /// Everything else.
    pub blueprint: Blueprint,
    /// What is not served.
    pub notices: Vec<Notice>,
    /// `Outputs`.
    pub outputs: Vec<Output>,
    /// Where something can happen that a rule may name, by logical id.
    pub places: BTreeMap<String, Place>,
}

/// An output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// `Description`.
    pub description: Option<String>,
}

/// Why a template cannot be used.
#[derive(Debug, Default, thiserror::Error)]
#[error("{}", all(.refusals, .missing))]
pub struct TemplateError {
    /// What contradicts AWS's rules; all at once.
    pub refusals: Vec<Refusal>,
    /// Parameters without a value.
    pub missing: Vec<Missing>,
    /// What is not served besides.
    pub notices: Vec<Notice>,
}

fn all(refusals: &[Refusal], missing: &[Missing]) -> String {
    let missing = missing.iter().map(|missing| format!("Parameters.{}: {missing}", missing.name));
    refusals.iter().map(Refusal::to_string).chain(missing).collect::<Vec<_>>().join("; ")
}

impl From<Complaint> for TemplateError {
    fn from(complaint: Complaint) -> Self {
        Self { refusals: vec![Refusal { complaint, position: None }], ..Self::default() }
    }
}

impl Template {
    /// Reads a template that is only a text; `parameters` are those that differ from their defaults.
    ///
    /// # Errors
    /// All complaints at once, each with its resource.
    pub fn read(text: &str, parameters: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Self::read_source(Source { text, parameters, files: &NoFiles })
    }

    /// Reads a template.
    ///
    /// # Errors
    /// All complaints at once, each with its place; all parameters without a value.
    pub fn read_source(source: Source<'_>) -> Result<Self, TemplateError> {
        let document = yaml::read(source.text).map_err(|why| {
            let refusal = Refusal { complaint: Complaint::new("template", why.what), position: why.position };
            TemplateError { refusals: vec![refusal], ..TemplateError::default() }
        })?;
        let declared = sections::read(&document, source.parameters, source.files);
        read_declared(declared, &document, source.files)
    }

    /// The same, but what is not served is refused too.
    ///
    /// # Errors
    /// As [`Template::read_source`], and if there is a notice.
    pub fn strict(self) -> Result<Self, TemplateError> {
        let refused =
            |notice: &Notice| Refusal { complaint: Complaint::new(notice.place.clone(), notice.what.clone()), position: notice.position };
        let refusals: Vec<_> = self.notices.iter().map(refused).collect();
        if refusals.is_empty() { Ok(self) } else { Err(TemplateError { refusals, ..TemplateError::default() }) }
    }

    /// Joins what several templates deploy.
    ///
    /// # Errors
    /// If a name is declared twice.
    pub fn join(all: Vec<Self>) -> Result<Self, TemplateError> {
        let (apis, notices, outputs, places) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        let mut joined = Self { apis, blueprint: Blueprint::default(), notices, outputs, places };
        for template in all {
            joined.apis.extend(template.apis);
            joined.blueprint.extend(template.blueprint);
            joined.notices.extend(template.notices);
            joined.outputs.extend(template.outputs);
            joined.places.extend(template.places);
        }
        let mut known = BTreeSet::new();
        let twice = joined.blueprint.names().filter(|named| !known.insert(*named));
        let complaint = |(kind, name)| Complaint::new(name, format!("another {kind} of the stack has this name"));
        let refusals: Vec<_> = twice.map(|named| Refusal { complaint: complaint(named), position: None }).collect();
        if refusals.is_empty() { Ok(joined) } else { Err(TemplateError { refusals, ..TemplateError::default() }) }
    }
}

/// The names of a template's parameters; empty if it is not readable.
pub fn parameter_names(text: &str) -> BTreeSet<String> {
    let declared = yaml::read(text).ok().and_then(|document| document.value.get("Parameters")?.as_object().cloned());
    declared.into_iter().flatten().map(|(name, _)| name).collect()
}

/// From the second stage on: the resources' names and references, then the resources.
fn read_declared(declared: Declared, document: &Document, files: &dyn Files) -> Result<Template, TemplateError> {
    let Declared { resources, globals, mut outputs, names, missing, mut findings } = declared;
    let sam::Expanded { resources, origins } = sam::expand(resources, &globals, &mut outputs, &mut findings);
    let mut names = Names(names);
    let arns = physical::name_all(&resources, &mut names, &mut findings.complaints);
    let references = References::of(&resources);
    let of_outputs = outputs.iter().flat_map(|(name, output)| References::of_value(&format!("Outputs.{name}"), output));
    let all: Vec<_> = references.all().cloned().chain(of_outputs).collect();
    references::check(&all, &resources, &mut names.0, &mut findings);
    if let Some(circle) = references.circle() {
        let first = circle.split(' ').next().unwrap_or_default().to_owned();
        findings.complain(first, format!("found a circle of references: {circle}"));
    }
    let placed = Placed { spots: &document.spots, references: &references, resources: &resources };
    if !missing.is_empty() {
        return Err(placed.error(findings, missing));
    }
    let (apis, blueprint, mut findings) = read_resources(&resources, &names, &arns, files, findings);
    for found in findings.complaints.iter_mut().chain(&mut findings.notices) {
        found.key = origins.place(std::mem::take(&mut found.key));
    }
    let outputs = outputs.iter().filter_map(|(name, output)| {
        let value = names.text(output.get("Value")?).ok()?;
        let description = output.get("Description").and_then(|text| names.text(text).ok());
        Some(Output { name: name.clone(), value, description })
    });
    if findings.complaints.is_empty() {
        let places = places::of(&resources, &arns, &blueprint);
        Ok(Template { apis, blueprint, notices: placed.notices(findings.notices), outputs: outputs.collect(), places })
    } else {
        Err(placed.error(findings, missing))
    }
}

/// The last stage: one reader a kind.
fn read_resources(
    resources: &Map<String, Value>,
    names: &Names,
    arns: &physical::Arns,
    files: &dyn Files,
    findings: Findings,
) -> (Vec<Api>, Blueprint, Findings) {
    let known = Known { arns, findings: RefCell::new(findings), files, assets: assets(files) };
    let plain = declared::resolve(resources, names, &known);
    let resources = Resources::new(&plain, resources, names, &known);
    let mut blueprint = declared::read(&resources);
    let mut apis = rest::read(&resources);
    apis.extend(http::read(&resources));
    declared::consistent(&blueprint, &known);
    declared::prune(&mut blueprint, &mut apis, &known);
    (apis, blueprint, known.findings.into_inner())
}

/// Where the code of each asset is, from the manifest that `cdk synth` writes beside a template.
/// Source: AWS CDK, cloud assembly schema, asset manifest.
fn assets(files: &dyn Files) -> BTreeMap<String, String> {
    let manifest: Value = files.assets().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let files = manifest.get("files").and_then(Value::as_object).cloned().unwrap_or_default();
    files.into_iter().filter_map(|(hash, file)| Some((hash, file.get("source")?.get("path")?.as_str()?.to_owned()))).collect()
}

/// Puts findings to their places in the text and to the functions that they concern.
struct Placed<'a> {
    spots: &'a Spot,
    references: &'a References,
    resources: &'a Map<String, Value>,
}

impl Placed<'_> {
    fn notices(&self, notices: Vec<Complaint>) -> Vec<Notice> {
        let is_function = |name: &str| {
            let kind = self.resources.get(name).and_then(|resource| resource.get("Type")).and_then(Value::as_str);
            matches!(kind, Some("AWS::Lambda::Function" | "AWS::Serverless::Function"))
        };
        let mut near: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let placed = notices.into_iter().map(|Complaint { key, what }| {
            let resource = key.split(['.', '[']).next().unwrap_or_default();
            let near = near.entry(resource.to_owned()).or_insert_with(|| self.references.functions_near(resource, is_function));
            let functions = near.clone();
            Notice { functions, position: self.spots.find(&key), ..Notice::new(key, what) }
        });
        placed.collect()
    }

    fn error(&self, findings: Findings, missing: Vec<Missing>) -> TemplateError {
        let refusals = findings.complaints.into_iter().map(|complaint| Refusal { position: self.spots.find(&complaint.key), complaint });
        TemplateError { refusals: refusals.collect(), missing, notices: self.notices(findings.notices) }
    }
}
