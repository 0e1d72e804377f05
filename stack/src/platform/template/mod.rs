//! Reads a SAM template, so that the deployed template also runs here. Anything that it does not
//! understand and that matters is a complaint that names the resource.

mod alarms;
mod apis;
mod buckets;
mod conditions;
mod declared;
mod intrinsics;
mod keys;
mod machines;
mod mappings;
mod physical;
mod pools;
mod queues;
mod section;
mod tables;
pub mod yaml;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use faults::Complaint;
use serde_json::{Map, Value};

use super::gateway::Routes;
use super::names::{ACCOUNT, REGION};
use super::runtimes::{Code, Managed};
use crate::blueprint::Blueprint;
use intrinsics::Names;
use physical::binary;
use section::Known;

/// What a template deploys, as far as it runs on this platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The functions.
    pub functions: Vec<Declared>,
    /// What the gateway serves.
    pub routes: Routes,
    /// Everything else.
    pub blueprint: Blueprint,
}

/// A function as the template declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The logical id.
    pub resource: String,
    /// `FunctionName`, or the binary's name if it is missing.
    pub name: String,
    /// Where its code is.
    pub code: Package,
    /// `MemorySize`.
    pub memory_mb: u32,
    /// `Timeout`.
    pub timeout: Duration,
    /// `ReservedConcurrentExecutions`.
    pub reserved: Option<u32>,
    /// `Environment.Variables`, resolved.
    pub variables: BTreeMap<String, String>,
}

/// Where the code of a declared function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Package {
    /// The name of a binary, from `Metadata.BuildProperties.Binary`.
    Binary(String),
    /// A folder that a managed runtime reads.
    Folder {
        /// `Runtime`.
        runtime: Managed,
        /// `Handler`.
        handler: String,
        /// `CodeUri`, relative to the template.
        folder: String,
    },
}

impl Package {
    /// The code to run: a binary in `binaries`, or a folder relative to `template`, the folder of
    /// the template.
    pub fn code(self, binaries: &Path, template: &Path) -> Code {
        match self {
            Self::Binary(name) => Code::Provided(binaries.join(name)),
            Self::Folder { runtime, handler, folder } => Code::Managed { runtime, handler, folder: template.join(folder) },
        }
    }
}

/// Everything in a template that was not understood.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; "))]
pub struct TemplateError(pub Vec<Complaint>);

/// Properties of a function that have no effect on this platform.
const WITHOUT_EFFECT: [&str; 13] = [
    "Description",
    "Policies",
    "Role",
    "Tags",
    "Tracing",
    "Architectures",
    "Layers",
    "LoggingConfig",
    "Handler",
    "CodeUri",
    "Runtime",
    "Events",
    "VpcConfig",
];

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
        let parts = apis::Parts {
            apis: of_type("AWS::Serverless::Api"),
            functions: of_type("AWS::Serverless::Function"),
            keys: keys::Parts {
                keys: of_type("AWS::ApiGateway::ApiKey"),
                plans: of_type("AWS::ApiGateway::UsagePlan"),
                joins: of_type("AWS::ApiGateway::UsagePlanKey"),
            },
        };
        let routes = apis::read(&parts, &names, &mut complaints);
        let known = Known { names: &names, arns: &arns, complaints: RefCell::new(complaints) };
        let blueprint = declared::read(&resources, &functions, &known);
        let complaints = known.complaints.into_inner();
        if complaints.is_empty() { Ok(Self { functions, routes, blueprint }) } else { Err(TemplateError(complaints)) }
    }

    /// Joins what several templates deploy.
    ///
    /// # Errors
    /// If a name is declared twice.
    pub fn join(all: Vec<Self>) -> Result<Self, TemplateError> {
        let mut joined = Self { functions: Vec::new(), routes: Routes { apis: Vec::new() }, blueprint: Blueprint::default() };
        for template in all {
            joined.functions.extend(template.functions);
            joined.routes.apis.extend(template.routes.apis);
            joined.blueprint.extend(template.blueprint);
        }
        let functions = joined.functions.iter().map(|function| ("function", function.name.as_str()));
        let mut known = BTreeSet::new();
        let twice = functions.chain(joined.blueprint.names()).filter(|named| !known.insert(*named));
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

struct Reader<'a> {
    resource: &'a str,
    names: &'a Names,
    complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    fn complain(&mut self, key: &str, what: impl Into<String>) {
        self.complaints.push(Complaint::new(format!("{}.{key}", self.resource), what));
    }

    fn function(&mut self, declared: &Value, globals: &Map<String, Value>) -> Declared {
        let mut properties = globals.clone();
        let own = declared.get("Properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut variables = self.variables(globals.get("Environment"));
        variables.extend(self.variables(own.get("Environment")));
        properties.extend(own);
        let mut function = Declared {
            resource: self.resource.to_owned(),
            name: self.names.0.get(self.resource).cloned().unwrap_or_default(),
            code: self.package(declared, &properties),
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            reserved: None,
            variables,
        };
        for (key, value) in &properties {
            self.property(key, value, &mut function);
        }
        function
    }

    fn package(&mut self, declared: &Value, properties: &Map<String, Value>) -> Package {
        let text = |key: &str| properties.get(key).and_then(Value::as_str);
        let Some(runtime) = text("Runtime").and_then(Managed::read) else {
            let found = binary(declared).map(str::to_owned);
            if found.is_none() {
                self.complain("Metadata.BuildProperties.Binary", "found none, it names the binary that runs here");
            }
            return Package::Binary(found.unwrap_or_default());
        };
        let (handler, folder) = (text("Handler"), text("CodeUri"));
        if !handler.is_some_and(|handler| handler.contains('.')) {
            self.complain("Handler", format!("expected `file.function`, as `{}` wants it", runtime.name()));
        }
        if folder.is_none() {
            self.complain("CodeUri", "found none, it names the folder of the function's code; only a folder is served here");
        }
        let (handler, folder) = (handler.unwrap_or_default().to_owned(), folder.unwrap_or_default().to_owned());
        Package::Folder { runtime, handler, folder }
    }

    fn property(&mut self, key: &str, value: &Value, function: &mut Declared) {
        match key {
            "MemorySize" => function.memory_mb = self.number(key, value).unwrap_or(function.memory_mb),
            "Timeout" => function.timeout = self.number(key, value).map_or(function.timeout, |seconds| Duration::from_secs(seconds.into())),
            "ReservedConcurrentExecutions" => function.reserved = self.number(key, value),
            "PackageType" if value != "Zip" => self.complain(key, format!("found `{value}`, only `Zip` runs here")),
            "Runtime" if !value.as_str().is_some_and(|name| name.starts_with("provided") || Managed::read(name).is_some()) => {
                self.complain(key, format!("found {value}, there are: provided.*, python3.*, nodejs*.x"));
            }
            "FunctionName" | "Environment" | "PackageType" => {}
            other if WITHOUT_EFFECT.contains(&other) => {}
            other => self.complain(other, "this property is not understood here"),
        }
    }

    fn number(&mut self, key: &str, value: &Value) -> Option<u32> {
        let number = self.names.text(value).and_then(|text| text.parse().map_err(|_| format!("found `{text}`, expected a number")));
        number.map_err(|why| self.complain(key, why)).ok()
    }

    fn variables(&mut self, environment: Option<&Value>) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let declared = environment.and_then(|environment| environment.get("Variables")).and_then(Value::as_object);
        for (name, value) in declared.into_iter().flatten() {
            match self.names.text(value) {
                Ok(value) => drop(variables.insert(name.clone(), value)),
                Err(why) => self.complain(&format!("Environment.{name}"), why),
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests;
