//! One alias: a name for a version, with a share of the calls for one other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::arn::arn_of;

/// One alias.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The version it points to.
    pub version: String,
    /// Free text.
    pub description: String,
    /// The share of the calls that goes to another version, at most one of them.
    pub weights: BTreeMap<String, f64>,
    /// Changes with every change.
    pub revision: u64,
    /// Versions that it pointed to before, each with the time until which some front ends still use
    /// it, in milliseconds since 1970.
    pub stale: BTreeMap<String, u64>,
}

// Weights come from JSON, which has no NaN.
impl Eq for Alias {}

impl Alias {
    /// An alias for `version` alone.
    pub fn new(version: &str) -> Self {
        Self { version: version.to_owned(), description: String::new(), weights: BTreeMap::new(), revision: 0, stale: BTreeMap::new() }
    }

    /// Whether calls go to this version.
    pub fn points_at(&self, version: &str) -> bool {
        self.version == version || self.weights.contains_key(version)
    }

    pub(crate) fn revision_id(&self) -> String {
        format!("00000000-0000-4000-9000-{:012x}", self.revision)
    }

    pub(crate) fn shown(&self, function: &str, name: &str) -> Value {
        let routing = json!({"AdditionalVersionWeights": self.weights});
        json!({
            "AliasArn": format!("{}:{name}", arn_of(function)), "Name": name, "FunctionVersion": self.version,
            "Description": self.description, "RevisionId": self.revision_id(),
            "RoutingConfig": if self.weights.is_empty() { Value::Null } else { routing },
        })
    }

    pub(crate) fn apply(&mut self, wish: &Value) -> Result<(), Answer> {
        if let Some(version) = wish["FunctionVersion"].as_str() {
            version.clone_into(&mut self.version);
        }
        if let Some(description) = wish["Description"].as_str() {
            description.clone_into(&mut self.description);
        }
        if wish["RoutingConfig"].is_object() {
            let given = wish.pointer("/RoutingConfig/AdditionalVersionWeights").and_then(Value::as_object);
            let weights = given.into_iter().flatten().map(|(version, share)| (version.clone(), share.as_f64().unwrap_or(-1.0)));
            self.weights = weights.collect();
        }
        if self.weights.len() > 1 || self.weights.values().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(Answer::invalid("The weights of an alias are those of one other version, 0.0 to 1.0"));
        }
        if self.weights.contains_key(&self.version)
            || (self.version == "$LATEST" && !self.weights.is_empty())
            || self.weights.contains_key("$LATEST")
        {
            return Err(Answer::invalid("$LATEST is not supported for an alias pointing to more than 1 version"));
        }
        if self.description.len() > 256 {
            return Err(Answer::invalid("Member must have length less than or equal to 256"));
        }
        Ok(())
    }
}
