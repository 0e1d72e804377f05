//! A layer that is published.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The name under which a stack's look-up finds the layer.
pub const LAYER: &str = "brownout";

/// A layer's zips, each of which becomes a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The layer's name.
    pub name: String,
    /// The Region, if it is not the one that the SDK finds.
    pub region: Option<String>,
    /// The zips; each has an architecture of its own.
    pub zips: Vec<LayerZip>,
}

/// A zip as `brownout layer build` wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerZip {
    /// The file.
    pub path: PathBuf,
    /// Lambda's name of the architecture that its programs are for.
    pub architecture: String,
    /// The SHA-256 of the file as it was built, in base64, as Lambda tells it in `CodeSha256`.
    pub code_sha: String,
}
