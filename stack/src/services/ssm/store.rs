//! Parameters with their versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::platform::names::now;

/// The most versions that are kept; the oldest is dropped first. Source: Systems Manager, "Working
/// with parameter versions".
const KEPT: usize = 100;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A text.
    String,
    /// Texts with commas between them.
    StringList,
    /// A text that is encrypted at AWS.
    SecureString,
}

/// A version of a parameter.
#[derive(Debug)]
pub struct Version {
    /// Its number, from 1.
    pub number: u64,
    /// Its type.
    pub kind: Kind,
    /// The value.
    pub value: String,
    /// When it was written, in seconds since 1970.
    pub written: f64,
    labels: Vec<String>,
}

impl Version {
    /// Whether it has this number or this label.
    pub fn is(&self, selector: &str) -> bool {
        selector.parse() == Ok(self.number) || self.labels.iter().any(|label| label == selector)
    }
}

/// All parameters by name.
#[derive(Debug, Default)]
pub struct Store(BTreeMap<String, Vec<Version>>);

impl Store {
    /// Adds a version and returns its number.
    pub fn put(&mut self, name: &str, kind: Kind, value: String) -> u64 {
        let versions = self.0.entry(name.to_owned()).or_default();
        let number = versions.last().map_or(0, |version| version.number) + 1;
        versions.push(Version { number, kind, value, written: now().as_secs_f64(), labels: Vec::new() });
        if versions.len() > KEPT {
            versions.remove(0);
        }
        number
    }

    /// The versions of a parameter, the newest last; never empty.
    pub fn versions(&self, name: &str) -> Option<&[Version]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// Gives labels to a version, which no other one then has.
    pub fn label(&mut self, name: &str, number: u64, labels: Vec<String>) {
        for version in self.0.get_mut(name).into_iter().flatten() {
            version.labels.retain(|label| !labels.contains(label));
            if version.number == number {
                version.labels.extend(labels.iter().cloned());
            }
        }
    }

    /// Deletes a parameter; false if there is none.
    pub fn delete(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
