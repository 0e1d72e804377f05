//! One function with its versions and aliases.

use std::collections::BTreeMap;

use crate::alias::Alias;
use crate::configuration::Configuration;

/// What a code-signing configuration does with an unsigned package or layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// There is no code-signing configuration.
    None,
    /// Accepts it with a warning.
    Warn,
    /// Refuses it.
    Enforce,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// `$LATEST`.
    pub latest: Configuration,
    /// The published versions by number.
    pub versions: BTreeMap<u64, Configuration>,
    /// The highest number ever given; numbers are never reused.
    pub last_version: u64,
    /// The aliases by name.
    pub aliases: BTreeMap<String, Alias>,
    /// The reserved concurrency, if set.
    pub concurrency: Option<u32>,
    /// Its code-signing configuration.
    pub signing: Signing,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Versions that are not active yet, each with the number of looks until it is.
    pub pending: BTreeMap<u64, u32>,
}

impl Function {
    /// A function with this configuration and nothing else.
    pub fn new(latest: Configuration) -> Self {
        Self {
            latest,
            versions: BTreeMap::new(),
            last_version: 0,
            aliases: BTreeMap::new(),
            concurrency: None,
            signing: Signing::None,
            tags: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }
}
