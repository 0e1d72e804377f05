//! A policy store of Verified Permissions.

use std::collections::BTreeMap;

use serde_json::Value;

/// A policy store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyStore {
    /// The policies by id, each with its definition.
    pub policies: BTreeMap<String, Value>,
    /// The templates by id: description and text.
    pub templates: BTreeMap<String, (Option<String>, String)>,
    /// What each idempotency token made, and of what. The service forgets it after eight hours.
    pub(crate) tokens: BTreeMap<String, (String, Value)>,
}

impl PolicyStore {
    /// The policies and templates without what the service remembers of calls.
    #[must_use]
    pub fn content(&self) -> Self {
        Self { tokens: BTreeMap::new(), ..self.clone() }
    }
}
