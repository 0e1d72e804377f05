//! A function deployed here, and the machine that all functions share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use faults::Entry;
use tokio::sync::mpsc::UnboundedSender;

use super::counts::Counts;
use super::follow::Follow;
use super::log::Log;
use super::names;
use super::runtimes::{Code, Launch, MissingRuntime};
use run_folder::Sightings;
use template::blueprint::{Asynchronous, LogFormat};

/// The version that is not published.
const LATEST: &str = "$LATEST";
/// The version that a template publishes.
const FIRST: &str = "1";

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
    /// The folder that it finds at `/opt`.
    pub opt: Option<PathBuf>,
    /// How its log lines are written.
    pub log_format: LogFormat,
    /// What happens to asynchronous events.
    pub asynchronous: Asynchronous,
    /// The names under which its version 1 is invoked.
    pub aliases: Vec<String>,
}

impl Function {
    /// A function with Lambda's defaults, which runs in up to 4 environments.
    pub fn new(name: impl Into<String>, code: Code) -> Self {
        Self {
            name: name.into(),
            code,
            memory_mb: 128,
            timeout: Duration::from_secs(3),
            concurrency: 4,
            reserved: None,
            variables: BTreeMap::new(),
            idle: Duration::from_secs(600),
            opt: None,
            log_format: LogFormat::default(),
            asynchronous: Asynchronous::default(),
            aliases: Vec::new(),
        }
    }
}

/// The settings and state that all functions share.
#[derive(Debug)]
pub(crate) struct Machine {
    pub extension: Option<PathBuf>,
    pub wrapper: PathBuf,
    pub plan: PathBuf,
    /// The folder of the environments' temporary files.
    pub folder: PathBuf,
    /// The program that gives environments mounts of their own, if it can.
    pub namespace: Option<PathBuf>,
    pub variables: BTreeMap<String, String>,
    pub marker: String,
    pub ledger: UnboundedSender<Entry>,
    /// Where invocations are told that a rule names.
    pub sightings: Sightings,
    pub counts: Counts,
    /// Follows requests, if an exploration asks for it before the first environment starts.
    pub follow: std::sync::OnceLock<Follow>,
    /// Every environment holds a clone while it lives; once this is the only one, all have ended.
    pub alive: std::sync::Arc<()>,
}

/// A function with its log, on its machine.
#[derive(Debug)]
pub(crate) struct Deployed {
    pub function: Function,
    pub launch: Launch,
    /// Why it cannot be started on this machine; then nothing is launched.
    pub missing: Option<MissingRuntime>,
    /// The extensions of its layers.
    pub extensions: Vec<PathBuf>,
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

    /// The version that an invocation with this qualifier runs. A template publishes one version,
    /// and every alias leads to it.
    pub(crate) fn executed(&self, qualifier: Option<&str>) -> &'static str {
        if qualifier.is_none_or(|qualifier| qualifier == LATEST) { LATEST } else { FIRST }
    }

    /// The version that its processes are told. What invokes a function that has an alias goes
    /// through the alias.
    pub(crate) fn version(&self) -> &'static str {
        if self.function.aliases.is_empty() { LATEST } else { FIRST }
    }

    /// True if it can be invoked with this qualifier.
    pub(crate) fn has(&self, qualifier: &str) -> bool {
        let aliases = &self.function.aliases;
        qualifier == LATEST || (qualifier == FIRST && !aliases.is_empty()) || aliases.iter().any(|alias| alias == qualifier)
    }

    /// The ARN that it is invoked by.
    pub(crate) fn invoked(&self, qualifier: Option<&str>) -> String {
        qualifier.map_or_else(|| self.arn(), |qualifier| format!("{}:{qualifier}", self.arn()))
    }

    /// The programs of all external extensions; each registers under its file name.
    pub(crate) fn outside(&self) -> impl Iterator<Item = &PathBuf> {
        self.machine.extension.iter().chain(&self.extensions)
    }

    /// True if an external extension has this name.
    pub(crate) fn is_outside(&self, name: &str) -> bool {
        self.outside().any(|program| program.file_name().is_some_and(|file| file == name))
    }
}
