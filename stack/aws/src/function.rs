//! A function as it was read, without the link to its code that `GetFunction` would return.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{EnvironmentResponse, FunctionConfiguration};

use crate::secret::Variables;

/// What runs the handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Package {
    /// A container image: layers cannot be added.
    Image,
    /// A zip on one of Lambda's runtimes, by its identifier.
    Zip {
        /// Such as `python3.13`.
        runtime: String,
    },
}

/// The status of the last update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastUpdate {
    /// It is complete.
    Successful,
    /// It is in progress; every other update is refused.
    InProgress,
    /// It failed, for this reason.
    Failed(String),
}

/// Whether the variables could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readable {
    /// They were read.
    Yes(Variables),
    /// Lambda could not decrypt them for this caller: an update would lose all of them.
    No {
        /// The exception's name, such as `AccessDeniedException`.
        code: String,
    },
}

/// One version of a function, or `$LATEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// `$LATEST` or a number.
    pub version: String,
    /// Free text; a version has its own.
    pub description: String,
    /// What runs it.
    pub package: Package,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Its memory in MB, if Lambda tells it.
    pub memory_mb: Option<u32>,
    /// The layers' versions by ARN, in order.
    pub layers: Vec<String>,
    /// The variables.
    pub variables: Readable,
    /// `Active`, `Pending`, `Inactive` or `Failed`.
    pub state: String,
    /// The status of the last update.
    pub last_update: LastUpdate,
    /// Changes with every update, and once more when an update completes.
    pub revision: Option<String>,
    /// A hash of the configuration, if Lambda reports one.
    pub config_sha: Option<String>,
    /// A hash of the code.
    pub code_sha: Option<String>,
    /// The log group that its extensions write to.
    pub log_group: String,
}

fn variables(environment: Option<&EnvironmentResponse>) -> Readable {
    let Some(environment) = environment else { return Readable::Yes(Variables::default()) };
    if let Some(error) = environment.error() {
        return Readable::No { code: error.error_code().unwrap_or("unknown").to_owned() };
    }
    let pairs = environment.variables().into_iter().flatten();
    Readable::Yes(pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

// The SDK has two types with the same fields and no trait in common.
macro_rules! read {
    ($read:ty) => {
        impl From<&$read> for Function {
            fn from(read: &$read) -> Self {
                let variables = variables(read.environment());
                let reason = || read.last_update_status_reason().unwrap_or("no reason was given");
                let reason = || if let Readable::Yes(all) = &variables { all.hide_in(reason()) } else { reason().to_owned() };
                let last_update = match read.last_update_status().map(|status| status.as_str()) {
                    Some("InProgress") => LastUpdate::InProgress,
                    Some("Failed") => LastUpdate::Failed(reason()),
                    _ => LastUpdate::Successful,
                };
                let is_image = read.package_type().is_some_and(|package| package.as_str() == "Image");
                let runtime = read.runtime().map_or("none", |runtime| runtime.as_str()).to_owned();
                Self {
                    name: read.function_name().unwrap_or_default().to_owned(),
                    version: read.version().unwrap_or("$LATEST").to_owned(),
                    description: read.description().unwrap_or_default().to_owned(),
                    package: if is_image { Package::Image } else { Package::Zip { runtime } },
                    architecture: read.architectures().first().map_or("x86_64", |architecture| architecture.as_str()).to_owned(),
                    memory_mb: read.memory_size().and_then(|memory| u32::try_from(memory).ok()),
                    layers: read.layers().iter().filter_map(|layer| layer.arn().map(str::to_owned)).collect(),
                    state: read.state().map_or("Active", |state| state.as_str()).to_owned(),
                    revision: read.revision_id().map(str::to_owned),
                    config_sha: read.config_sha256().map(str::to_owned),
                    code_sha: read.code_sha256().map(str::to_owned),
                    log_group: read
                        .logging_config()
                        .and_then(|logging| logging.log_group())
                        .map_or_else(|| format!("/aws/lambda/{}", read.function_name().unwrap_or_default()), str::to_owned),
                    last_update,
                    variables,
                }
            }
        }
    };
}

read!(GetFunctionConfigurationOutput);
read!(FunctionConfiguration);
