//! `AWS::Serverless::Function`: its code and its settings.

use std::collections::BTreeMap;
use std::time::Duration;

use faults::Complaint;
use serde_json::{Map, Value};

use super::physical::binary;
use crate::blueprint::{Asynchronous, Code, Function, LogFormat, Managed, Runtime};
use crate::intrinsics::Names;

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

/// Reads functions.
pub(crate) struct Reader<'a> {
    pub resource: &'a str,
    pub names: &'a Names,
    pub complaints: &'a mut Vec<Complaint>,
}

impl Reader<'_> {
    fn complain(&mut self, key: &str, what: impl Into<String>) {
        self.complaints.push(Complaint::new(format!("{}.{key}", self.resource), what));
    }

    pub(crate) fn function(&mut self, declared: &Value, globals: &Map<String, Value>) -> Function {
        let mut properties = globals.clone();
        let own = declared.get("Properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut variables = self.variables(globals.get("Environment"));
        variables.extend(self.variables(own.get("Environment")));
        properties.extend(own);
        let (code, runtime, handler) = self.code(declared, &properties);
        let mut function = Function {
            resource: self.resource.to_owned(),
            name: self.names.0.get(self.resource).cloned().unwrap_or_default(),
            code,
            runtime,
            handler,
            layers: Vec::new(),
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            reserved: None,
            log_format: LogFormat::default(),
            asynchronous: Asynchronous::default(),
            url: None,
            aliases: Vec::new(),
            variables,
        };
        for (key, value) in &properties {
            self.property(key, value, &mut function);
        }
        function
    }

    fn code(&mut self, declared: &Value, properties: &Map<String, Value>) -> (Code, Runtime, String) {
        let text = |key: &str| properties.get(key).and_then(Value::as_str);
        let Some(runtime) = text("Runtime").and_then(Managed::read) else {
            let found = binary(declared).map(str::to_owned);
            if found.is_none() {
                self.complain("Metadata.BuildProperties.Binary", "found none, it names the binary that runs here");
            }
            return (Code::Binary(found.unwrap_or_default()), Runtime::Provided, String::new());
        };
        let (handler, folder) = (text("Handler"), text("CodeUri"));
        if !handler.is_some_and(|handler| handler.contains('.')) {
            self.complain("Handler", format!("expected `file.function`, as `{}` wants it", runtime.name()));
        }
        if folder.is_none() {
            self.complain("CodeUri", "found none, it names the folder of the function's code; only a folder is served here");
        }
        let (handler, folder) = (handler.unwrap_or_default().to_owned(), folder.unwrap_or_default().to_owned());
        (Code::Path(folder), Runtime::Managed(runtime), handler)
    }

    fn property(&mut self, key: &str, value: &Value, function: &mut Function) {
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
