//! The groups of a user pool.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// The groups of one pool by name, each with its description.
#[derive(Default)]
pub struct Groups(RwLock<BTreeMap<String, Option<String>>>);

impl Groups {
    /// Adds a group; false if the name is taken.
    pub fn add(&self, name: &str, description: Option<String>) -> bool {
        let mut groups = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let fresh = !groups.contains_key(name);
        if fresh {
            groups.insert(name.to_owned(), description);
        }
        fresh
    }

    /// A group's description, if there is such a group.
    pub fn find(&self, name: &str) -> Option<Option<String>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Removes a group; false if it does not exist.
    pub fn remove(&self, name: &str) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }
}
