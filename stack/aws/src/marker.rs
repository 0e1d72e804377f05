//! The undo record, which is stored in the function itself, in the variable [`UNDO`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::function::{Function, Readable};
use crate::secret::Variables;

/// The variable that holds the [`Record`].
pub const UNDO: &str = "BROWNOUT_UNDO";

/// A run's name: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Run(String);

impl Run {
    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Run {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fits = (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if fits { Ok(Self(name)) } else { Err(format!("`{name}` is not a run's name; it is 1 to 64 of A-Z a-z 0-9 . _ -")) }
    }
}

impl From<Run> for String {
    fn from(run: Run) -> Self {
        run.0
    }
}

/// What a run did to a function, and what undoes it. Keys are short: the record counts towards the
/// limit of 4 KB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// The run.
    pub run: Run,
    /// When it was attached, in seconds since 1970.
    pub at: u64,
    /// When it expires, likewise.
    pub until: u64,
    /// The layer that was added; `None` if the function already had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The variables that were set, besides [`UNDO`] itself.
    pub set: BTreeMap<String, String>,
    /// The previous values of variables in `set` that existed before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, String>,
    /// The previous hash of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// The alias, if a version published with the layer gets a share of its calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

impl Record {
    /// The record as it is written in the variable.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it has expired at `now`, in seconds since 1970.
    pub fn is_over(&self, now: u64) -> bool {
        self.until <= now
    }
}

/// The content of [`UNDO`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// There is no marker.
    None,
    /// A record.
    Of(Record),
    /// It cannot be parsed, or the variables cannot be read.
    Unreadable,
}

impl Marker {
    /// The marker of a function.
    pub fn of(function: &Function) -> Self {
        match &function.variables {
            Readable::Yes(variables) => Self::among(variables),
            Readable::No { .. } => Self::Unreadable,
        }
    }

    /// The marker among variables.
    pub fn among(variables: &Variables) -> Self {
        let Some(text) = variables.value(UNDO) else { return Self::None };
        serde_json::from_str(text).map_or(Self::Unreadable, Self::Of)
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
