//! The invocation fails.

use serde::{Deserialize, Serialize};

use crate::{Action, Complaint};

/// An error takes the place of the answer. An HTTP caller sees 502, a caller behind a request authorizer 500; a queue delivers again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure {
    /// Lambda's `errorType`; for a service, the name of the exception.
    #[serde(default = "error_type", rename = "type")]
    pub error_type: String,
    /// Lambda's `errorMessage`.
    #[serde(default = "message")]
    pub message: String,
    /// Whether the handler runs: false is an error in its place, true a lost acknowledgement (its effects are done).
    #[serde(default, rename = "handler-runs")]
    pub handler_runs: bool,
}

fn error_type() -> String {
    "Brownout.InjectedError".to_owned()
}

fn message() -> String {
    "injected by brownout".to_owned()
}

impl Failure {
    /// The failure of this invocation.
    pub fn decide(&self) -> Action {
        let (error_type, message) = (self.error_type.clone(), self.message.clone());
        if self.handler_runs { Action::LoseAnswer { error_type, message } } else { Action::Refuse { error_type, message } }
    }

    /// Everything wrong with it.
    pub fn complaints(&self) -> Vec<Complaint> {
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".:_-".contains(&b));
        let mut complaints = Vec::new();
        if self.error_type.is_empty() || self.error_type.len() > 128 || !plain(&self.error_type) {
            complaints.push(Complaint::new(
                "type",
                format!("`{}` is not an error type; it has 1 to 128 of the characters A-Z a-z 0-9 . : _ -", self.error_type),
            ));
        }
        if self.message.len() > 1024 {
            complaints.push(Complaint::new("message", format!("it has {} bytes; 1024 is the most", self.message.len())));
        }
        complaints
    }
}
