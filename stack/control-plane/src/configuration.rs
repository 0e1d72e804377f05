//! One function's configuration: its limits, and how the API shows it.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arn::arn_of;

/// The status of the last update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUpdate {
    /// It is complete.
    Successful,
    /// It completes or fails after some more looks.
    InProgress {
        /// Looks until it is complete.
        looks: u32,
        /// Why it will fail, if it will.
        failing: Option<String>,
    },
    /// It failed.
    Failed(String),
}

/// A version's configuration, or that of `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The function's name.
    pub name: String,
    /// `$LATEST`, or a number.
    pub version: String,
    /// `None` if the package is an image.
    pub runtime: Option<String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Whether the package is an image.
    pub image: bool,
    /// The versions of layers by ARN, in order.
    pub layers: Vec<String>,
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// Whether the caller may not decrypt the variables; they are not shown then.
    pub undecipherable: bool,
    /// Free text.
    pub description: String,
    /// A hash of the code.
    pub code: String,
    /// Every other setting, as it is set and shown.
    pub others: BTreeMap<String, Value>,
    /// `Active`, `Pending`, `Inactive` or `Failed`.
    pub state: String,
    /// The status of the last update.
    pub last_update: LastUpdate,
    /// Changes with every update, and once more when an update completes (aws/aws-sdk issue 377).
    pub revision: u64,
}

/// Lambda refuses to set these (Developer Guide, "Defined runtime environment variables"); `AWS_LAMBDA_EXEC_WRAPPER` is not among them.
const RESERVED: [&str; 14] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_LAMBDA_RUNTIME_API",
];

const NOT_CONFIGURED: &str =
    "Lambda was unable to configure your environment variables because the environment variables you have provided";

impl Configuration {
    /// A function as it is after its creation: Python on x86_64, with nothing set.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: "$LATEST".to_owned(),
            runtime: Some("python3.13".to_owned()),
            architecture: "x86_64".to_owned(),
            image: false,
            layers: Vec::new(),
            variables: BTreeMap::new(),
            undecipherable: false,
            description: String::new(),
            code: "YWxpa2UgZm9yIGFsbCB2ZXJzaW9ucyBvZiBhIHN0YXRl".to_owned(),
            others: [
                ("Handler", json!("app.handler")),
                ("Timeout", json!(3)),
                ("MemorySize", json!(128)),
                ("Role", json!("arn:aws:iam::123456789012:role/function")),
                ("LoggingConfig", json!({"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{name}")})),
                ("SnapStart", json!({"ApplyOn": "None", "OptimizationStatus": "Off"})),
            ]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
            state: "Active".to_owned(),
            last_update: LastUpdate::Successful,
            revision: 0,
        }
    }

    /// Checks what Lambda would refuse: more than 5 layers, two versions of one layer, more than 4
    /// KB of variables (measured as compact JSON), invalid or reserved names.
    ///
    /// # Errors
    /// The refusal, with Lambda's message, which quotes the variables.
    pub fn check(&self) -> Result<(), Answer> {
        if self.layers.len() > 5 {
            return Err(Answer::invalid("Cannot reference more than 5 layers."));
        }
        if self.image && !self.layers.is_empty() {
            return Err(Answer::invalid("Layers are not supported for functions with package type Image"));
        }
        let mut seen = BTreeMap::new();
        for layer in &self.layers {
            let stem = layer.rsplit_once(':').map_or(layer.as_str(), |(stem, _)| stem);
            if let Some(other) = seen.insert(stem, layer) {
                let what = "Two different versions of the same layer are not allowed to be referenced in the same function.";
                return Err(Answer::invalid(format!("{what} {other} and {layer} are versions of the same layer.")));
            }
        }
        let named = |name: &&String| {
            name.len() >= 2
                && name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if let Some(name) = self.variables.keys().find(|name| !named(name) && !RESERVED.contains(&name.as_str())) {
            return Err(Answer::refused(
                400,
                "ValidationException",
                format!("1 validation error detected: Value '{name}' at 'environment.variables' failed to satisfy constraint"),
            ));
        }
        let reserved: Vec<_> = self.variables.keys().filter(|name| RESERVED.contains(&name.as_str())).cloned().collect();
        if !reserved.is_empty() {
            let why = "contains reserved keys that are currently not supported for modification. Reserved keys used in this request:";
            return Err(Answer::invalid(format!("{NOT_CONFIGURED} {why} {}", reserved.join(", "))));
        }
        let measured = json!(self.variables).to_string();
        if measured.len() > 4096 {
            return Err(Answer::invalid(format!("{NOT_CONFIGURED} exceeded the 4KB limit. String measured: {measured}")));
        }
        Ok(())
    }

    /// A hash of the configuration; equal configurations have equal hashes.
    pub fn sha(&self) -> String {
        let what = json!([self.runtime, self.architecture, self.layers, self.variables, self.description, self.others]).to_string();
        base64::engine::general_purpose::STANDARD.encode(digest(&SHA256, what.as_bytes()))
    }

    /// The revision as it is shown.
    pub fn revision_id(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.revision)
    }

    /// One read by any caller, which advances an update in progress. True if this read completes
    /// it.
    pub(crate) fn look(&mut self) -> bool {
        let LastUpdate::InProgress { looks, failing } = &mut self.last_update else { return false };
        if *looks > 0 {
            *looks -= 1;
            return false;
        }
        self.last_update = failing.take().map_or(LastUpdate::Successful, LastUpdate::Failed);
        true
    }

    /// Whether an update is in progress.
    pub fn is_busy(&self) -> bool {
        matches!(self.last_update, LastUpdate::InProgress { .. })
    }

    /// The configuration as `GetFunctionConfiguration` shows it.
    pub fn shown(&self) -> Value {
        let arn = arn_of(&self.name);
        let arn = if self.version == "$LATEST" { arn } else { format!("{arn}:{}", self.version) };
        let (status, reason) = match &self.last_update {
            LastUpdate::Successful => ("Successful", None),
            LastUpdate::InProgress { .. } => ("InProgress", Some("The function is being updated.")),
            LastUpdate::Failed(reason) => ("Failed", Some(reason.as_str())),
        };
        let mut shown = json!({
            "FunctionName": self.name, "FunctionArn": arn, "Version": self.version, "Architectures": [self.architecture],
            "PackageType": if self.image { "Image" } else { "Zip" }, "LastModified": "2026-01-01T00:00:00.000+0000",
            "Description": self.description, "CodeSha256": self.code, "State": self.state, "LastUpdateStatus": status,
            "RevisionId": self.revision_id(), "ConfigSha256": self.sha(),
            "Layers": self.layers.iter().map(|layer| json!({"Arn": layer, "CodeSize": 7_000_000})).collect::<Vec<_>>(),
        });
        let mut also = |key: &str, value: Value| {
            if let Some(object) = shown.as_object_mut() {
                object.insert(key.to_owned(), value);
            }
        };
        self.others.iter().for_each(|(key, value)| also(key, value.clone()));
        if let Some(runtime) = &self.runtime {
            also("Runtime", json!(runtime));
        }
        if let Some(reason) = reason {
            also("LastUpdateStatusReason", json!(reason));
        }
        if self.undecipherable {
            also(
                "Environment",
                json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": "Lambda was unable to decrypt your environment variables."}}),
            );
        } else if !self.variables.is_empty() {
            also("Environment", json!({"Variables": self.variables}));
        }
        shown
    }

    /// The same as a list shows it, which leaves out its status. Source: Lambda API Reference, `ListFunctions`.
    pub(crate) fn listed(&self) -> Value {
        let mut shown = self.shown();
        if let Some(object) = shown.as_object_mut() {
            object.retain(|key, _| !key.starts_with("State") && !key.starts_with("LastUpdateStatus"));
        }
        shown
    }
}
