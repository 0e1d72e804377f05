//! What a stack deploys: templates, the values of their parameters, and the data that exists before
//! the first request. The harness writes it, and the stack's process reads it and knows nothing
//! else of the system under test.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Compressed, Watch};

/// Everything that a stack is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The templates, each with its parameters. No name may be declared twice.
    pub templates: Vec<Template>,
    /// The data that exists before the first request.
    pub seed: Seed,
    /// How many environments of a function are started beforehand, if more than the default.
    #[serde(default)]
    pub warm: BTreeMap<String, u32>,
    /// Errors that a state machine neither retries nor catches, by the machine's name, whatever its
    /// definition says.
    #[serde(default)]
    pub unhandled: BTreeMap<String, Vec<String>>,
    /// The things whose devices connect over TLS, each with a certificate of its own, which the stack issues; none if an account's
    /// control plane registers them later. Absent: devices connect in the clear, and need no certificate.
    #[serde(default)]
    pub things: Option<Vec<String>>,
    /// How many times faster than at AWS long waits run.
    #[serde(default)]
    pub compressed: Compressed,
    /// Services that run somewhere else: the name that faults use, and `http://host:port`.
    #[serde(default)]
    pub services: BTreeMap<String, String>,
    /// The places that rules name: of these the services tell what happens.
    #[serde(default)]
    pub watch: Watch,
    /// Whether requests are followed through the stack, for an exploration: what a queue, a stream or a bucket passes on keeps the
    /// trace of its cause, one record an event, and each invocation and call is reported.
    #[serde(default)]
    pub follow: bool,
}

/// A SAM or CloudFormation template and its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its text.
    pub text: String,
    /// The parameters that differ from their defaults.
    pub parameters: BTreeMap<String, Parameter>,
    /// The folder that the code's paths begin at; `None`: the programs' own folder.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Layers of other accounts: a folder or a `.zip` file for each ARN.
    #[serde(default)]
    pub layers: BTreeMap<String, PathBuf>,
}

/// The value of a template's parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Parameter {
    /// This text.
    Text(String),
    /// The address of the cloud services, `http://host:port`.
    ServicesAddress,
    /// The address of the cache, `redis://host:port`. A cache is started if a template uses its
    /// address.
    CacheAddress,
}

/// The data that exists before the first request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The rows of tables by the table's name, each as a DynamoDB item.
    #[serde(default)]
    pub rows: BTreeMap<String, Vec<Value>>,
    /// The users of user pools by the pool's name (`UserPoolName`); the password of each is [`crate::addresses::PASSWORD`].
    #[serde(default)]
    pub users: BTreeMap<String, Vec<User>>,
    /// The content of policy stores, by the store's logical id.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicyStore>,
}

/// A user who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name, unique in its pool.
    pub name: String,
    /// The groups (`cognito:groups`).
    #[serde(default)]
    pub groups: Vec<String>,
}

/// A policy store's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyStore {
    /// Static policies: id and text.
    pub policies: Vec<(String, String)>,
    /// Policy templates: id and text.
    pub templates: Vec<(String, String)>,
    /// Template-linked policies.
    pub links: Vec<Link>,
    /// The schema in Cedar's human-readable form.
    pub schema: String,
}

/// A policy made from a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its own id.
    pub id: String,
    /// The template's id.
    pub template: String,
    /// What fills `?principal`: entity type and id.
    pub principal: (String, String),
    /// What fills `?resource`: entity type and id.
    pub resource: (String, String),
}

impl Deployment {
    /// Adds everything of `other`, whose names must differ.
    pub fn extend(&mut self, other: Self) {
        self.templates.extend(other.templates);
        self.seed.extend(other.seed);
        self.warm.extend(other.warm);
        self.unhandled.extend(other.unhandled);
        self.services.extend(other.services);
        self.watch.extend(other.watch);
        if let Some(things) = other.things {
            self.things.get_or_insert_default().extend(things);
        }
    }

    /// Whether a template uses a cache.
    pub fn has_cache(&self) -> bool {
        self.templates.iter().any(|template| template.parameters.values().any(|value| *value == Parameter::CacheAddress))
    }
}

impl Seed {
    /// Adds everything of `other`, whose names must differ.
    pub fn extend(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.users.extend(other.users);
        self.policies.extend(other.policies);
    }
}

impl Parameter {
    /// The parameter's text, with these addresses of the cloud services and the cache.
    pub fn text(&self, services: &str, cache: &str) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::ServicesAddress => services.to_owned(),
            Self::CacheAddress => cache.to_owned(),
        }
    }
}

impl From<&str> for Parameter {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
