//! The user's own stack: a SAM or CloudFormation template on this machine. It is read while the
//! experiment is checked, so that faults and requests can name only what is there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use faults::{By, Trigger};
use run_folder::{Place, deployment};
use stack::services::elsewhere::Addresses;
use template::blueprint::{self, Blueprint, Target};
use template::files::Folder;
use template::samconfig::{self, ConfigError};
use template::{Source, Template};

/// A stack that a template of the user declares.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnStack {
    /// What the stack's process deploys.
    pub deploys: deployment::Template,
    /// The functions, each with what invokes it.
    pub functions: BTreeMap<String, Vec<Trigger>>,
    /// The names of its APIs, and of the functions that have an address of their own.
    pub apis: Vec<String>,
    /// What of the template is not served here.
    pub notices: Vec<String>,
    /// What rules can name, by logical id.
    pub places: BTreeMap<String, Place>,
    /// The attributes of each table's key, partition first, by the table's name.
    pub keys: BTreeMap<String, Vec<String>>,
    /// The queues to which what failed is moved.
    pub dead_letters: Vec<Place>,
    /// The secrets whose values the template says, each with its value.
    pub secrets: Vec<(String, String)>,
    /// Whether it may send mail.
    pub sends_mail: bool,
    /// The services that run somewhere else.
    pub elsewhere: Addresses,
}

/// Why a template cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum OwnStackError {
    /// The file cannot be read.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The parameters cannot be read.
    #[error("the parameters of the template cannot be read")]
    Config(#[source] ConfigError),
    /// The template is not understood.
    #[error("`{path}` cannot be started")]
    Template {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        #[source]
        cause: template::TemplateError,
    },
}

impl OwnStackError {
    /// Everything that is wrong with the template; none if it cannot be read at all.
    pub fn complaints(&self) -> Vec<String> {
        let Self::Template { cause, .. } = self else { return Vec::new() };
        let missing = cause.missing.iter().map(|missing| format!("the parameter `{}`: {missing}", missing.name));
        cause.refusals.iter().map(ToString::to_string).chain(missing).collect()
    }
}

impl OwnStack {
    /// Reads a template. Parameters that are not given come from the `environment` of
    /// `samconfig.toml`, then from the template. `layers` are those of other accounts: a folder or a `.zip` for each ARN.
    ///
    /// # Errors
    /// If the file cannot be read, or declares what AWS would refuse.
    pub fn read(
        path: &Path,
        parameters: &BTreeMap<String, String>,
        environment: Option<&str>,
        layers: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, OwnStackError> {
        let text = std::fs::read_to_string(path).map_err(|cause| OwnStackError::Unreadable { path: path.to_owned(), cause })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = folder.canonicalize().map_err(|cause| OwnStackError::Unreadable { path: folder.to_owned(), cause })?;
        let all = samconfig::gathered(&text, &folder, environment, parameters).map_err(OwnStackError::Config)?;
        let read = Template::read_source(Source { text: &text, parameters: &all, files: &Folder::new(&folder) });
        let read = read.map_err(|cause| OwnStackError::Template { path: path.to_owned(), cause })?;
        let layers = layers.iter().map(|(arn, path)| (arn.clone(), folder.join(path))).collect();
        let parameters = all.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        Ok(Self {
            functions: read.blueprint.functions.iter().map(|function| (function.name.clone(), triggers(&function.name, &read))).collect(),
            apis: read.apis.iter().map(|api| api.name.clone()).chain(with_urls(&read.blueprint)).collect(),
            notices: read.notices.iter().map(ToString::to_string).collect(),
            keys: read.blueprint.tables.iter().map(|table| (table.name.clone(), key(table))).collect(),
            dead_letters: read.blueprint.dead_letters().into_iter().map(Place::Queue).collect(),
            secrets: read.blueprint.secrets.iter().filter_map(|secret| Some((secret.name.clone(), secret.value.clone()?))).collect(),
            sends_mail: !read.blueprint.senders.is_empty(),
            places: read.places,
            elsewhere: Addresses::default(),
            deploys: deployment::Template { text, parameters, folder: Some(folder), layers },
        })
    }

    /// What identifies a roll about a function: a message or record that is delivered again is
    /// struck again.
    pub fn by(&self, function: &str) -> By {
        By::of(self.functions.get(function).map(Vec::as_slice).unwrap_or_default())
    }
}

/// The attributes of a table's key.
fn key(table: &blueprint::Table) -> Vec<String> {
    std::iter::once(&table.key.partition).chain(&table.key.sort).map(|attribute| attribute.name.clone()).collect()
}

fn with_urls(blueprint: &Blueprint) -> impl Iterator<Item = String> {
    blueprint.functions.iter().filter(|function| function.url.is_some()).map(|function| function.name.clone())
}

/// What invokes a function.
fn triggers(function: &str, template: &Template) -> Vec<Trigger> {
    let Template { apis, blueprint, .. } = template;
    let is_target = |target: &Target| *target == Target::Function(function.to_owned());
    let mut all = Vec::new();
    let mut add = |trigger: Trigger, found: bool| {
        if found && !all.contains(&trigger) {
            all.push(trigger);
        }
    };
    let has_url = blueprint.functions.iter().any(|one| one.name == function && one.url.is_some());
    let serves = apis.iter().flat_map(|api| &api.routes).any(|route| route.integration.function() == Some(function));
    let decides = apis.iter().flat_map(|api| api.authorizers.values()).any(|authorizer| authorizer.function() == Some(function));
    add(Trigger::Http, serves || has_url);
    add(Trigger::Authorizer, decides);
    for mapping in blueprint.mappings.iter().filter(|mapping| mapping.function == function) {
        match mapping.source {
            blueprint::Source::Queue { .. } => add(Trigger::Queue, true),
            blueprint::Source::Stream { .. } | blueprint::Source::DataStream { .. } => add(Trigger::TableStream, true),
        }
    }
    add(Trigger::SignIn, blueprint.pools.iter().flat_map(|pool| pool.triggers.values()).any(|name| name == function));
    let works_for = |machine: &template::blueprint::Machine| {
        machine.definition.iter().flat_map(template::integrations::needs).any(|(_, need)| match need {
            template::integrations::Needs::Function(name) => template::account::function_name(&name) == function,
            template::integrations::Needs::Queue(_) | template::integrations::Needs::Topic(_) => false,
        })
    };
    add(Trigger::Task, blueprint.machines.iter().any(works_for));
    let told = blueprint.buckets.iter().flat_map(|bucket| &bucket.notifies).any(|notification| is_target(&notification.to));
    let subscribed = blueprint.subscriptions.iter().any(|subscription| is_target(&subscription.to));
    let ruled = blueprint.rules.iter().flat_map(|rule| &rule.targets).any(|target| is_target(&target.to));
    add(Trigger::Asynchronous, told || subscribed || ruled);
    if all.is_empty() {
        all.push(Trigger::Invoke);
    }
    all
}
