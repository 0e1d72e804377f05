//! One function with its versions and aliases.

use std::collections::BTreeMap;

use crate::alias::Alias;
use crate::configuration::Configuration;

/// What a code-signing configuration does with an unsigned package or layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// There is none.
    None,
    /// It is let in with a warning.
    Warn,
    /// It is refused.
    Enforce,
}

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// `$LATEST`.
    pub latest: Configuration,
    /// The published versions by number.
    pub versions: BTreeMap<u64, Configuration>,
    /// The highest number ever given; numbers are never given twice.
    pub last_version: u64,
    /// The aliases by name.
    pub aliases: BTreeMap<String, Alias>,
    /// The reserved concurrency, where there is one.
    pub concurrency: Option<u32>,
    /// Its code-signing configuration.
    pub signing: Signing,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Versions that are not ready, each with the looks until it is.
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
