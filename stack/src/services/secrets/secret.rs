//! A secret with its versions. Each stage is at one version at most.

use serde_json::{Value, json};

use crate::platform::names::now;
use crate::services::wire::Refused;
use template::account;

/// The stage of the value that is given unless another is asked for.
pub const CURRENT: &str = "AWSCURRENT";

/// The stage of the value before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text.
    Text(String),
    /// Bytes in base64.
    Binary(String),
}

impl Content {
    /// The name of its field, and what is in it.
    pub fn field(&self) -> (&'static str, &str) {
        match self {
            Self::Text(text) => ("SecretString", text),
            Self::Binary(bytes) => ("SecretBinary", bytes),
        }
    }
}

/// A version.
#[derive(Debug)]
pub struct Version {
    /// Its id.
    pub id: String,
    /// Its stages.
    pub stages: Vec<String>,
    /// Its value.
    pub content: Content,
    /// When it was written, in seconds since 1970.
    pub created: f64,
}

/// A secret.
#[derive(Debug)]
pub struct Held {
    versions: Vec<Version>,
    created: f64,
    /// `Description`.
    pub description: Option<String>,
    /// When it was deleted, in seconds since 1970; until it is gone it can be restored.
    pub deleted: Option<f64>,
}

impl Held {
    /// A secret without a value.
    pub fn new(description: Option<String>) -> Self {
        Self { versions: Vec::new(), created: now().as_secs_f64(), description, deleted: None }
    }

    /// Adds a version, to which the stages move.
    ///
    /// # Errors
    /// If the version exists with another value.
    pub fn put(&mut self, id: String, content: Content, stages: &[String]) -> Result<(), Refused> {
        match self.versions.iter().find(|version| version.id == id) {
            Some(version) if version.content == content => return Ok(()),
            Some(_) => {
                let message = "You can't use ClientRequestToken with a different secret value for an existing version.";
                return Err(Refused::new("ResourceExistsException", message));
            }
            None => {}
        }
        if stages.iter().any(|stage| stage == CURRENT)
            && let Some(current) = self.versions.iter().position(|version| version.stages.iter().any(|stage| stage == CURRENT))
        {
            self.versions.iter_mut().for_each(|version| version.stages.retain(|stage| stage != PREVIOUS));
            if let Some(current) = self.versions.get_mut(current) {
                current.stages.push(PREVIOUS.to_owned());
            }
        }
        self.versions.iter_mut().for_each(|version| version.stages.retain(|stage| !stages.contains(stage)));
        // A version without a stage is deprecated, and is deleted at some time.
        self.versions.retain(|version| !version.stages.is_empty());
        self.versions.push(Version { id, stages: stages.to_vec(), content, created: now().as_secs_f64() });
        Ok(())
    }

    /// The version with this id and this stage; without both, the current one.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, id: Option<&str>, stage: Option<&str>) -> Result<&Version, Refused> {
        let missing = |what: String| {
            Refused::new("ResourceNotFoundException", format!("Secrets Manager can't find the specified secret value for {what}"))
        };
        let has = |version: &Version, stage: &str| version.stages.iter().any(|it| it == stage);
        match id {
            Some(id) => {
                let version = self.versions.iter().find(|version| version.id == id).ok_or_else(|| missing(format!("VersionId: {id}")))?;
                if stage.is_none_or(|stage| has(version, stage)) {
                    return Ok(version);
                }
                let message = "You provided a VersionStage that is not associated to the provided VersionId.";
                Err(Refused::new("InvalidRequestException", message))
            }
            None => {
                let stage = stage.unwrap_or(CURRENT);
                self.versions.iter().find(|version| has(version, stage)).ok_or_else(|| missing(format!("staging label: {stage}")))
            }
        }
    }

    fn stages(&self) -> Value {
        Value::Object(self.versions.iter().map(|version| (version.id.clone(), json!(version.stages))).collect())
    }

    /// `DescribeSecret`.
    pub fn description(&self, name: &str) -> Value {
        let mut described = json!({
            "ARN": account::secret_arn(name), "Name": name, "CreatedDate": self.created, "VersionIdsToStages": self.stages(),
            "LastChangedDate": self.versions.last().map_or(self.created, |version| version.created),
        });
        if let Some(described) = described.as_object_mut() {
            described.extend(self.description.as_ref().map(|text| ("Description".to_owned(), json!(text))));
            described.extend(self.deleted.map(|at| ("DeletedDate".to_owned(), json!(at))));
        }
        described
    }

    /// As in `ListSecrets`.
    pub fn listed(&self, name: &str) -> Value {
        let mut listed = self.description(name);
        if let Some(stages) = listed.as_object_mut().and_then(|listed| Some((listed.remove("VersionIdsToStages")?, listed))) {
            stages.1.insert("SecretVersionsToStages".to_owned(), stages.0);
        }
        listed
    }
}
