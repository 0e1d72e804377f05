//! An SSM parameter.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// An SSM parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Rises with every write.
    pub version: u64,
    /// `Standard` (up to 4 KB) or `Advanced` (up to 8 KB).
    pub tier: String,
    /// The labelled versions, by label.
    pub labels: BTreeMap<String, u64>,
    /// When it was last written, by the control plane's clock.
    pub modified_ms: u64,
}

impl Parameter {
    pub(crate) fn shown(&self, name: &str) -> Value {
        let modified = self.modified_ms as f64 / 1000.0;
        json!({
            "Name": name, "Type": "String", "Value": self.value, "Version": self.version, "DataType": "text", "LastModifiedDate": modified,
        })
    }
}
