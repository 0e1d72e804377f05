//! `AWS::Lambda::Function`: its code and its settings; and the types that add to a function: URLs,
//! aliases and the settings of asynchronous events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::code::{Stored, stored};
use super::physical::{Kind, binary};
use super::section::Section;
use crate::account::function_name;
use crate::apis::Cors;
use crate::blueprint::{Asynchronous, Code, Function, Layer, LogFormat, Managed, Runtime, Url};

/// The properties that are read.
const READ: [&str; 14] = [
    "FunctionName",
    "Code",
    "Runtime",
    "Handler",
    "PackageType",
    "ImageConfig",
    "Layers",
    "MemorySize",
    "Timeout",
    "ReservedConcurrentExecutions",
    "Environment",
    "LoggingConfig",
    "DeadLetterConfig",
    "EphemeralStorage",
];

/// Properties without effect here: permissions and networks are not checked, processes run on this
/// machine's processor, and what is kept is not encrypted.
const WITHOUT_EFFECT: [&str; 12] = [
    "Description",
    "Role",
    "Tags",
    "TracingConfig",
    "Architectures",
    "VpcConfig",
    "KmsKeyArn",
    "CodeSigningConfigArn",
    "RuntimeManagementConfig",
    "SnapStart",
    "RecursiveLoop",
    "TenancyConfig",
];

/// The kinds of resources that may get the outcome of an asynchronous event. Source: Lambda
/// developer guide, "Adding a destination".
const DESTINATIONS: [Kind; 5] = [Kind::Function, Kind::Queue, Kind::Topic, Kind::Bus, Kind::Bucket];

/// What every function gets that cannot run here.
const FAILS: &str = "every invocation of the function fails";

/// Reads a function. One that cannot run here exists all the same, which is a notice; `None` if its
/// declaration is wrong.
pub(crate) fn read(function: &Section<'_>, resource: &str, declared: &Value, layers: &BTreeMap<String, Stored>) -> Option<Function> {
    function.only(&READ, &WITHOUT_EFFECT);
    let (code, runtime, handler) = code(function, declared)?;
    let logging = function.within("LoggingConfig");
    logging.only(&["LogFormat", "LogGroup"], &["ApplicationLogLevel", "SystemLogLevel"]);
    let format = logging.one_of("LogFormat", &["Text", "JSON"]);
    if format.as_deref() == Some("JSON") {
        for key in
            ["ApplicationLogLevel", "SystemLogLevel"].into_iter().filter(|key| logging.text(key).is_some_and(|level| level != "INFO"))
        {
            logging.notice(key, "levels of log lines are not served here: every line is kept");
        }
    }
    let dead = function.within("DeadLetterConfig");
    let storage = function.within("EphemeralStorage");
    // Source: Lambda API reference, EphemeralStorage.
    storage.number("Size", 512..=10_240_u32);
    Some(Function {
        resource: resource.to_owned(),
        name: function.known.arns.name(resource),
        code,
        runtime,
        handler,
        layers: function.texts("Layers").into_iter().filter_map(|arn| layer(function, arn, layers)).collect(),
        // Source: Lambda API reference, CreateFunction.
        memory_mb: function.number("MemorySize", 128..=10_240).unwrap_or(128),
        timeout: function.seconds("Timeout", 1..=900).unwrap_or(Duration::from_secs(3)),
        reserved: function.number("ReservedConcurrentExecutions", 0..=u32::MAX),
        variables: variables(function),
        log_format: if format.as_deref() == Some("JSON") { LogFormat::Json } else { LogFormat::Text },
        asynchronous: Asynchronous { dead_letters: dead.target("TargetArn", &[Kind::Queue, Kind::Topic]), ..Asynchronous::default() },
        url: None,
        aliases: Vec::new(),
    })
}

fn code(function: &Section<'_>, declared: &Value) -> Option<(Code, Runtime, String)> {
    // The code may also be a text, with a path of this machine.
    let in_code = |key: &str| function.value("Code").and_then(|code| code.get(key));
    if function.text("PackageType").is_some_and(|kind| kind == "Image") || in_code("ImageUri").is_some() {
        function.notice("", format!("container images are not served here: {FAILS}"));
        return Some((Code::Missing, Runtime::NotServed("a container image".to_owned()), String::new()));
    }
    let runtime = function.needed("Runtime");
    let handler = function.text("Handler").unwrap_or_default();
    if let (true, Some(binary)) = (runtime.starts_with("provided"), binary(declared)) {
        return Some((Code::Binary(binary.to_owned()), Runtime::Provided, String::new()));
    }
    let managed = Managed::read(&runtime);
    if managed.is_none() && !runtime.starts_with("provided") {
        if runtime.is_empty() {
            return None;
        }
        function.notice("Runtime", format!("found `{runtime}`, there are: provided.*, python3.*, nodejs*.x; {FAILS}"));
        return Some((Code::Missing, Runtime::NotServed(runtime), handler));
    }
    let inline = in_code("ZipFile").and_then(Value::as_str).map(str::to_owned);
    // Source: CloudFormation, resource `AWS::Lambda::Function`, `Code.ZipFile`: Node.js and Python,
    // up to 4 MB.
    if inline.is_some() && managed.is_none() {
        function.complain("Code.ZipFile", format!("`{runtime}` does not take its code from the template"));
    }
    let code = match inline {
        Some(text) => Code::Inline(text),
        None => stored(function, "Code", Some(declared)).map_or(Code::Missing, Code::Path),
    };
    if let Some(managed) = managed {
        if !handler.contains('.') {
            function.complain("Handler", format!("expected `file.function`, as `{}` wants it", managed.name()));
        }
        return Some((code, Runtime::Managed(managed), handler));
    }
    Some((code, Runtime::Provided, handler))
}

fn layer(function: &Section<'_>, arn: String, layers: &BTreeMap<String, Stored>) -> Option<Layer> {
    match layers.get(&arn) {
        Some(Stored::Path(path)) => Some(Layer::Path(path.clone())),
        Some(Stored::Elsewhere) => {
            function.notice("Layers", format!("found `{arn}`, whose content is not on this machine"));
            None
        }
        None => Some(Layer::Arn(arn)),
    }
}

fn variables(function: &Section<'_>) -> BTreeMap<String, String> {
    let environment = function.within("Environment");
    environment.only(&["Variables"], &[]);
    environment.within("Variables").text_fields()
}

/// Adds a function's URL.
pub(crate) fn url(url: &Section<'_>, functions: &mut [Function]) {
    url.only(&["TargetFunctionArn", "Qualifier", "AuthType", "Cors", "InvokeMode"], &[]);
    url.needed("TargetFunctionArn");
    // Source: Lambda API reference, CreateFunctionUrlConfig.
    if !url.has("AuthType") {
        url.complain("AuthType", "found none");
    }
    let kind = url.one_of("AuthType", &["NONE", "AWS_IAM"]);
    let mode = url.one_of("InvokeMode", &["BUFFERED", "RESPONSE_STREAM"]);
    let read = Url {
        // What is not understood must not let anyone in.
        signed: kind.as_deref() != Some("NONE"),
        streams: mode.as_deref() == Some("RESPONSE_STREAM"),
        cors: url.has("Cors").then(|| cors(&url.within("Cors"), false)),
    };
    let Some(function) = of(url, "TargetFunctionArn", functions) else { return };
    if function.url.is_some() {
        url.notice("", "the function has an address already, one is served here");
        return;
    }
    function.url = Some(read);
}

/// `Cors` of a URL or an HTTP API; an OpenAPI document has the names with a small first letter.
pub(crate) fn cors(cors: &Section<'_>, in_document: bool) -> Cors {
    let names = if in_document {
        ["allowOrigins", "allowMethods", "allowHeaders", "exposeHeaders", "maxAge", "allowCredentials"]
    } else {
        ["AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "MaxAge", "AllowCredentials"]
    };
    cors.only(&names, &[]);
    let [origins, methods, headers, exposed, age, credentials] = names;
    Cors {
        origins: cors.texts(origins),
        methods: cors.texts(methods),
        headers: cors.texts(headers),
        exposed: cors.texts(exposed),
        // Source: Lambda and API Gateway V2 API references, Cors: at most a day.
        max_age: cors.number(age, -1..=86_400_i64).and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
        credentials: cors.flag(credentials),
    }
}

/// Adds an alias.
pub(crate) fn alias(alias: &Section<'_>, functions: &mut [Function]) {
    alias.only(&["Name", "FunctionName", "FunctionVersion", "RoutingConfig"], &["Description", "ProvisionedConcurrencyConfig"]);
    if alias.has("RoutingConfig") {
        alias.notice("RoutingConfig", "the alias invokes the function's one version here");
    }
    let name = alias.needed("Name");
    if let Some(function) = of(alias, "FunctionName", functions) {
        function.aliases.push(name);
    }
}

/// Adds the settings of asynchronous events. Bounds: Lambda API reference,
/// PutFunctionEventInvokeConfig.
pub(crate) fn asynchronous(config: &Section<'_>, functions: &mut [Function]) {
    config.only(&["FunctionName", "Qualifier", "MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig"], &[]);
    let destinations = config.within("DestinationConfig");
    destinations.only(&["OnSuccess", "OnFailure"], &[]);
    let target = |key: &str| destinations.within(key).target("Destination", &DESTINATIONS);
    let (on_success, on_failure) = (target("OnSuccess"), target("OnFailure"));
    let retries = config.number("MaximumRetryAttempts", 0..=2);
    let oldest = config.seconds("MaximumEventAgeInSeconds", 60..=21_600);
    if let Some(function) = of(config, "FunctionName", functions) {
        let dead_letters = function.asynchronous.dead_letters.take();
        function.asynchronous = Asynchronous { retries, oldest, on_success, on_failure, dead_letters };
    }
}

/// The function that a field names; a missing one was told already.
fn of<'a>(section: &Section<'_>, key: &str, functions: &'a mut [Function]) -> Option<&'a mut Function> {
    let name = section.function(key)?;
    functions.iter_mut().find(|function| function.name == function_name(&name))
}
