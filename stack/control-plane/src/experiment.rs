//! FIS's templates and experiments, as they are stored.

use serde_json::{Value, json};

/// One template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its id.
    pub id: String,
    /// The request that created it.
    pub wish: Value,
}

impl Template {
    /// The request's value of a key; null if it has none.
    pub(crate) fn of(&self, key: &str) -> &Value {
        self.wish.get(key).unwrap_or(&Value::Null)
    }
}

/// The state of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was started.
    Pending,
    /// A dry run has begun.
    Initiating,
    /// It is running.
    Running,
    /// It is being stopped.
    Stopping,
    /// It was stopped.
    Stopped,
    /// It completed.
    Completed,
    /// It failed.
    Failed,
}

impl Status {
    /// FIS's name for it.
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
    /// Its state.
    pub status: Status,
    /// The reason for its state.
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
