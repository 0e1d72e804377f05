//! Functions: their code, their settings, and what happens to asynchronous events.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Target;
use crate::apis::Cors;

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The logical id.
    pub resource: String,
    /// `FunctionName`, or one made from the logical id.
    pub name: String,
    /// Where its code is.
    pub code: Code,
    /// What runs it.
    pub runtime: Runtime,
    /// `Handler`; empty for a Rust binary. An OS-only runtime gets it as `_HANDLER` only.
    pub handler: String,
    /// `Layers`, in their order: a later one covers an earlier one in `/opt`.
    pub layers: Vec<Layer>,
    /// `MemorySize`.
    pub memory_mb: u32,
    /// `Timeout`.
    pub timeout: Duration,
    /// `ReservedConcurrentExecutions`.
    pub reserved: Option<u32>,
    /// `Environment.Variables`, resolved.
    pub variables: BTreeMap<String, String>,
    /// `LoggingConfig.LogFormat`.
    pub log_format: LogFormat,
    /// What happens to asynchronous events.
    pub asynchronous: Asynchronous,
    /// `FunctionUrlConfig`, or `AWS::Lambda::Url`.
    pub url: Option<Url>,
    /// `AutoPublishAlias` and `AWS::Lambda::Alias`: names that invoke the function too.
    pub aliases: Vec<String>,
}

/// Where the code of a function is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A Rust binary by its name, from `Metadata.BuildProperties.Binary`.
    Binary(String),
    /// A folder or a `.zip` file, relative to the template.
    Path(String),
    /// The text of `InlineCode` or `Code.ZipFile`.
    Inline(String),
    /// Not on this machine: a notice says why. The function exists, and every invocation fails.
    Missing,
}

/// What runs a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// `provided.*`: the program `bootstrap` of the code.
    Provided,
    /// A runtime that loads the handler.
    Managed(Managed),
    /// One that is not served here, such as `java21`, or `a container image`.
    NotServed(String),
}

/// A runtime that reads the function from a folder. The version comes from the template; the
/// machine's interpreter runs it, whatever its own version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Managed {
    /// `python3.x`, by PyPI's `awslambdaric`.
    Python(String),
    /// `nodejsNN.x`, by npm's `aws-lambda-ric`.
    Node(String),
}

impl Runtime {
    /// Its name for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Provided => "provided",
            Self::Managed(managed) => managed.name(),
            Self::NotServed(name) => name,
        }
    }
}

impl Managed {
    /// From a template's `Runtime`; `None` if it is not one of these.
    pub fn read(text: &str) -> Option<Self> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if text.strip_prefix("python3.").is_some_and(digits) {
            return Some(Self::Python(text.to_owned()));
        }
        let node = text.strip_prefix("nodejs").and_then(|rest| rest.strip_suffix(".x"));
        node.is_some_and(digits).then(|| Self::Node(text.to_owned()))
    }

    /// The name in a template.
    pub fn name(&self) -> &str {
        let (Self::Python(name) | Self::Node(name)) = self;
        name
    }
}

/// Files that a function finds in `/opt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layer {
    /// A layer of the template: its `ContentUri`, a folder or a `.zip` file relative to the template.
    Path(String),
    /// A layer of some account, by its ARN.
    Arn(String),
}

/// How a function's log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `Text`.
    #[default]
    Text,
    /// `JSON`.
    Json,
}

/// What happens to an asynchronous event: `EventInvokeConfig` and `DeadLetterQueue`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asynchronous {
    /// `MaximumRetryAttempts`, 0 to 2; `None` is 2.
    pub retries: Option<u32>,
    /// `MaximumEventAgeInSeconds`, 60 s to 6 h; `None` is 6 h.
    pub oldest: Option<Duration>,
    /// `DestinationConfig.OnSuccess`.
    pub on_success: Option<Target>,
    /// `DestinationConfig.OnFailure`.
    pub on_failure: Option<Target>,
    /// `DeadLetterConfig.TargetArn`: a queue or a topic.
    pub dead_letters: Option<Target>,
}

/// A function's own address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `AuthType: AWS_IAM`; else anyone may call.
    pub signed: bool,
    /// `InvokeMode: RESPONSE_STREAM`.
    pub streams: bool,
    /// `Cors`.
    pub cors: Option<Cors>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_read_from_its_name_in_a_template() {
        for (text, read) in [
            ("python3.13", Some(Managed::Python("python3.13".into()))),
            ("nodejs22.x", Some(Managed::Node("nodejs22.x".into()))),
            ("python2.7", None),
            ("python3.", None),
            ("python3.x", None),
            ("nodejs.x", None),
            ("nodejs22", None),
            ("java21", None),
            ("provided.al2023", None),
        ] {
            assert_eq!(Managed::read(text), read, "{text}");
        }
    }
}
