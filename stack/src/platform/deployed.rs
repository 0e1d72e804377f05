//! A function deployed here, and the machine that all functions share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use faults::Entry;
use tokio::sync::mpsc::UnboundedSender;

use super::counts::Counts;
use super::log::Log;
use super::names;
use super::runtimes::{Code, Launch};

/// A function: what to run, and Lambda's settings for it.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name, as in `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// Its code and runtime.
    pub code: Code,
    /// The memory that the function is told; it is not enforced here.
    pub memory_mb: u32,
    /// Counted from the delivery of the event.
    pub timeout: Duration,
    /// The most environments at once on this machine; further invocations wait.
    pub concurrency: u32,
    /// Reserved concurrency: further invocations are throttled.
    pub reserved: Option<u32>,
    /// The function's own variables.
    pub variables: BTreeMap<String, String>,
    /// How long an environment may be idle.
    pub idle: Duration,
}

/// The settings and state that all functions share.
#[derive(Debug)]
pub(crate) struct Machine {
    pub extension: Option<PathBuf>,
    pub wrapper: PathBuf,
    pub plan: PathBuf,
    pub variables: BTreeMap<String, String>,
    pub marker: String,
    pub ledger: UnboundedSender<Entry>,
    pub counts: Counts,
    /// Every environment holds a clone while it lives; once this is the only one, all have ended.
    pub alive: std::sync::Arc<()>,
}

/// A function with its log, on its machine.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub function: Function,
    pub launch: Launch,
    pub machine: std::sync::Arc<Machine>,
    pub log: Log,
}

impl Machine {
    /// The region that the functions see.
    pub(crate) fn region(&self) -> &str {
        self.variables.get("AWS_REGION").map_or(names::REGION, String::as_str)
    }
}

impl Deployed {
    /// The region that the function sees.
    pub(crate) fn region(&self) -> &str {
        self.machine.region()
    }

    /// The function's ARN.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region(), names::ACCOUNT, self.function.name)
    }

    /// The file name of the extension, under which it registers.
    pub(crate) fn extension_name(&self) -> Option<&str> {
        self.machine.extension.as_ref()?.file_name()?.to_str()
    }
}
