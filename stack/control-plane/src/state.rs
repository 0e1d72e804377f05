//! The whole state, and the changes to a function's configuration.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::alarm::Alarm;
use crate::answer::Answer;
use crate::apis::Apis;
use crate::arn::{arn_of, names};
use crate::configuration::{Configuration, LastUpdate};
use crate::document::Document;
use crate::experiment::{Experiment, Template};
use crate::function::{Function, Signing};
use crate::layers::LayerVersion;
use crate::log_line::LogLine;
use crate::parameter::Parameter;
use crate::policies::Rights;
use crate::policy_store::PolicyStore;
use crate::pool::UserPool;
use crate::registry::Iot;
use crate::stack::Stack;

/// How updates settle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settling {
    /// The number of looks at a function until its update is complete.
    pub looks: u32,
    /// Why the next update fails, if it should; cleared by that update.
    pub next_fails: Option<String>,
}

/// The whole control plane.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ControlPlane {
    /// The functions by name.
    pub functions: BTreeMap<String, Function>,
    /// SSM's parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// SSM's documents by name.
    pub documents: BTreeMap<String, Document>,
    /// FIS's templates, in the order in which they were made.
    pub templates: Vec<Template>,
    /// The template that each token created; kept if the template is deleted.
    pub template_tokens: BTreeMap<String, String>,
    /// FIS's experiments, in the order in which they were started.
    pub experiments: Vec<Experiment>,
    /// AWS IoT's registry.
    pub iot: Iot,
    /// The policy stores of Verified Permissions by id.
    pub stores: BTreeMap<String, PolicyStore>,
    /// CloudWatch's alarms by name.
    pub alarms: BTreeMap<String, Alarm>,
    /// The lines of each log group, in order of arrival.
    pub logs: BTreeMap<String, Vec<LogLine>>,
    /// CloudFormation's stacks, nested and deleted ones too.
    pub stacks: Vec<Stack>,
    /// The APIs of API Gateway.
    pub apis: Apis,
    /// Cognito's user pools by id.
    pub pools: BTreeMap<String, UserPool>,
    /// The host of AWS IoT's broker; a stand-in's may have a port.
    pub broker: String,
    /// How many of the next calls of an operation of CloudFormation are throttled.
    pub throttling: BTreeMap<String, u32>,
    /// Operations of SSM that are throttled.
    pub throttled: std::collections::BTreeSet<String>,
    /// This many reads of a page after the first one fail.
    pub failing_pages: u32,
    /// The versions of layers by ARN.
    pub layers: BTreeMap<String, LayerVersion>,
    /// The policies of the callers.
    pub rights: Rights,
    /// How updates settle.
    pub settling: Settling,
    /// The last revision that was issued.
    pub revisions: u64,
    /// The current time, in milliseconds since 1970. The caller sets it; there is no other clock
    /// here.
    pub clock_ms: u64,
    /// How published versions and aliases settle.
    pub publishing: Publishing,
    /// Calls of an alias that would have failed between any two calls here, because the version was
    /// deleted or not ready.
    pub broken: Vec<String>,
}

/// How published versions and aliases settle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Publishing {
    /// The number of looks at a version until it is `Active`.
    pub looks: u32,
    /// How long an alias may still point to its previous version, in milliseconds.
    pub propagation_ms: u64,
}

impl ControlPlane {
    /// Adds a function without Lambda's checks.
    pub fn add(&mut self, mut function: Function) {
        function.latest.revision = self.next_revision();
        self.functions.insert(function.latest.name.clone(), function);
    }

    pub(crate) fn next_revision(&mut self) -> u64 {
        self.revisions += 1;
        self.revisions
    }

    /// A function by its name or ARN.
    pub(crate) fn function(&mut self, named: &str) -> Result<&mut Function, Answer> {
        let (name, _) = names(named);
        self.functions.get_mut(&name).ok_or_else(|| Answer::not_found(format!("Function {}", arn_of(&name))))
    }

    /// `GetFunctionConfiguration`: also a look, which advances an update in progress.
    pub(crate) fn get_configuration(&mut self, named: &str, qualifier: Option<&str>) -> Result<Answer, Answer> {
        let next = self.revisions + 1;
        let function = self.function(named)?;
        let (_, own) = names(named);
        let qualifier = qualifier.map(str::to_owned).or(own).unwrap_or_else(|| "$LATEST".to_owned());
        if qualifier != "$LATEST" {
            let shown = function.resolve(&qualifier).map(Configuration::shown)?;
            function.looked_at(&qualifier);
            return Ok(Answer::ok(200, shown));
        }
        let through = function.latest.look();
        if through {
            function.latest.revision = next;
        }
        let shown = function.latest.shown();
        if through {
            self.revisions = next;
        }
        Ok(Answer::ok(200, shown))
    }

    /// `UpdateFunctionConfiguration`: layers and variables are replaced whole, each only if it is
    /// given.
    pub(crate) fn update_configuration(&mut self, named: &str, wish: &Value) -> Result<Answer, Answer> {
        let (revision, settling, layers) = (self.revisions + 1, self.settling.clone(), self.layers.clone());
        let function = self.function(named)?;
        let latest = &function.latest;
        if wish["RevisionId"].as_str().is_some_and(|given| given != latest.revision_id()) {
            return Err(Answer::stale());
        }
        if latest.is_busy() || latest.state == "Pending" {
            return Err(Answer::busy(&arn_of(&latest.name)));
        }
        let mut wanted = latest.clone();
        wanted.apply(wish)?;
        wanted.check()?;
        let new: Vec<_> = wanted.layers.iter().filter(|layer| !latest.layers.contains(layer)).collect();
        if let Some(layer) = new.iter().find(|layer| !layers.contains_key(**layer)) {
            return Err(Answer::invalid(format!("Layer version {layer} does not exist.")));
        }
        if function.signing == Signing::Enforce && !new.is_empty() {
            return Err(Answer::refused(
                400,
                "CodeVerificationFailedException",
                "The code signature failed one or more of the validation checks.",
            ));
        }
        wanted.revision = revision;
        wanted.last_update = LastUpdate::InProgress { looks: settling.looks, failing: settling.next_fails };
        function.latest = wanted;
        let shown = function.latest.shown();
        self.revisions = revision;
        self.settling.next_fails = None;
        Ok(Answer::ok(200, shown))
    }

    /// `CreateFunction`, as far as a test needs it to create a function.
    pub(crate) fn create_function(&mut self, wish: &Value) -> Result<Answer, Answer> {
        let Some(name) = wish["FunctionName"].as_str() else { return Err(Answer::invalid("FunctionName is required")) };
        if self.functions.contains_key(name) {
            return Err(Answer::refused(409, "ResourceConflictException", format!("Function already exist: {name}")));
        }
        let mut configuration = Configuration::new(name);
        configuration.image = wish["PackageType"] == "Image";
        configuration.runtime = wish["Runtime"].as_str().map(str::to_owned);
        if let Some(architecture) = wish.pointer("/Architectures/0").and_then(Value::as_str) {
            architecture.clone_into(&mut configuration.architecture);
        }
        configuration.apply(wish)?;
        configuration.check()?;
        self.add(Function::new(configuration));
        let shown = self.function(name)?.latest.shown();
        Ok(Answer::ok(201, shown))
    }

    /// `ListFunctions`: `$LATEST` of each, or every version; pages of `size`. Listing does not
    /// count as a look.
    pub(crate) fn list_functions(&self, marker: Option<&str>, size: usize, all: bool) -> Answer {
        let versions = |function: &Function| {
            let published: Vec<_> = if all { function.versions.values().map(Configuration::listed).collect() } else { Vec::new() };
            std::iter::once(function.latest.listed()).chain(published).collect::<Vec<_>>()
        };
        page("Functions", self.functions.values().flat_map(versions).collect(), marker, size)
    }
}

/// A page of a list, under this key, beginning at `marker`.
pub(crate) fn page(key: &str, all: Vec<Value>, marker: Option<&str>, size: usize) -> Answer {
    let (start, count) = (marker.and_then(|marker| marker.parse::<usize>().ok()).unwrap_or_default(), all.len());
    let shown: Vec<_> = all.into_iter().skip(start).take(size).collect();
    let end = start + shown.len();
    Answer::ok(200, json!({key: shown, "NextMarker": (end < count).then(|| end.to_string())}))
}

/// Settings that a call may change, besides layers, variables and description.
const OTHERS: [&str; 8] = ["Handler", "Timeout", "MemorySize", "Role", "LoggingConfig", "SnapStart", "TracingConfig", "EphemeralStorage"];

impl Configuration {
    fn apply(&mut self, wish: &Value) -> Result<(), Answer> {
        let texts = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| Answer::invalid("not a text"));
        if let Some(layers) = wish["Layers"].as_array() {
            self.layers = layers.iter().map(texts).collect::<Result<_, _>>()?;
        }
        if let Some(variables) = wish.pointer("/Environment/Variables").and_then(Value::as_object) {
            self.variables = variables.iter().map(|(key, value)| Ok((key.clone(), texts(value)?))).collect::<Result<_, _>>()?;
        } else if wish["Environment"].is_object() {
            self.variables.clear();
        }
        if let Some(description) = wish["Description"].as_str() {
            description.clone_into(&mut self.description);
        }
        let given = OTHERS.iter().filter_map(|key| Some(((*key).to_owned(), wish.get(*key).filter(|value| !value.is_null())?.clone())));
        self.others.extend(given);
        Ok(())
    }
}
