//! One parameter of SSM.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// Rises with every write.
    pub version: u64,
    /// `Standard` (up to 4 KB) or `Advanced` (up to 8 KB).
    pub tier: String,
    /// The versions with a label, by label.
    pub labels: BTreeMap<String, u64>,
    /// When it was written last, by the plane's clock.
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
