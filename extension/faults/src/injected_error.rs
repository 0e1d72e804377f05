//! An injected error, as Lambda reports one.

use serde::{Deserialize, Serialize};

use crate::complaint::Complaint;

/// Type and message of an injected error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InjectedError {
    /// Lambda's `errorType`: 1 to 128 of the characters A-Z a-z 0-9 . : _ -
    #[serde(default = "error_type", rename = "type")]
    pub error_type: String,
    /// Lambda's `errorMessage`, at most 1024 bytes.
    #[serde(default = "message")]
    pub message: String,
}

/// The type if none is given.
pub(crate) fn error_type() -> String {
    "Brownout.InjectedError".to_owned()
}

/// The message if none is given.
pub(crate) fn message() -> String {
    "injected by brownout".to_owned()
}

impl Default for InjectedError {
    fn default() -> Self {
        Self { error_type: error_type(), message: message() }
    }
}

/// Everything that is wrong with a type and a message, which go into a header and into JSON.
pub(crate) fn complaints(error_type: &str, message: &str) -> Vec<Complaint> {
    let plain = error_type.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b));
    let mut complaints = Vec::new();
    if error_type.is_empty() || error_type.len() > 128 || !plain {
        let what = format!("`{error_type}` is not an error type; it has 1 to 128 of the characters A-Z a-z 0-9 . : _ -");
        complaints.push(Complaint::new("type", what));
    }
    if message.len() > 1024 {
        complaints.push(Complaint::new("message", format!("it has {} bytes; 1024 is the most", message.len())));
    }
    complaints
}
