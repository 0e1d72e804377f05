//! FIS's templates and experiments, as they are kept.

use serde_json::{Value, json};

/// One template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its id.
    pub id: String,
    /// The call that made it.
    pub wish: Value,
}

impl Template {
    /// What the call said under a key; null where it said nothing.
    pub(crate) fn of(&self, key: &str) -> &Value {
        self.wish.get(key).unwrap_or(&Value::Null)
    }
}

/// How an experiment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was started.
    Pending,
    /// A dry run on its way.
    Initiating,
    /// It is under way.
    Running,
    /// It is being stopped.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It came to its end.
    Completed,
    /// It failed.
    Failed,
}

impl Status {
    /// FIS's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initiating => "initiating",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// One experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its id.
    pub id: String,
    /// The template's id.
    pub template: String,
    /// Whether its actions are skipped.
    pub skips: bool,
    /// How it stands.
    pub status: Status,
    /// Why.
    pub reason: String,
    pub(crate) token: String,
}

impl Experiment {
    pub(crate) fn shown(&self) -> Value {
        let state = json!({"status": self.status.name(), "reason": self.reason});
        json!({
            "id": self.id, "experimentTemplateId": self.template, "state": state,
            "actions": {"strike": {"actionId": "aws:ssm:start-automation-execution", "state": state}},
        })
    }
}
