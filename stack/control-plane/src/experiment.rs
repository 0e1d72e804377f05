//! FIS's templates and experiments, as they are stored.

use std::collections::BTreeMap;

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

/// The state of an experiment, or of one of its actions.
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
    /// Its experiment ended before it began.
    Cancelled,
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
            Self::Cancelled => "cancelled",
        }
    }
}

/// One action of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Its state.
    pub status: Status,
    /// The reason for its state.
    pub reason: String,
    /// It as it was written in the template.
    pub(crate) wish: Value,
    /// When it ends, if it only waits; in milliseconds since 1970.
    pub(crate) until_ms: Option<u64>,
}

impl Action {
    pub(crate) fn new(wish: &Value) -> Self {
        Self { status: Status::Pending, reason: String::new(), wish: wish.clone(), until_ms: None }
    }

    /// The template's value of a key; null if it has none.
    pub(crate) fn of(&self, key: &str) -> &Value {
        self.wish.get(key).unwrap_or(&Value::Null)
    }

    /// The time that it waits, in milliseconds; `None` if it does not only wait.
    pub(crate) fn waits_ms(&self) -> Option<u64> {
        let duration = self.wish.pointer("/parameters/duration").and_then(Value::as_str);
        let duration = duration.filter(|_| *self.of("actionId") == WAIT);
        duration.and_then(seconds).map(|seconds| seconds * 1000)
    }

    pub(crate) fn starts_after(&self) -> impl Iterator<Item = &str> {
        self.of("startAfter").as_array().into_iter().flatten().filter_map(Value::as_str)
    }
}

/// The action that only waits.
pub(crate) const WAIT: &str = "aws:fis:wait";

/// A duration of hours, minutes or seconds, such as `PT90M`; of ISO 8601 that is all that FIS's
/// actions of this project use.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("PT")?;
    let unit = rest.chars().last().and_then(|unit| [('H', 3600), ('M', 60), ('S', 1)].into_iter().find(|(name, _)| *name == unit))?.1;
    rest.get(..rest.len() - 1)?.parse::<u64>().ok().map(|number| number * unit)
}

/// One experiment.
#[derive(Debug, Clone, PartialEq)]
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
    /// Its actions by name, as the template had them when it was started.
    pub actions: BTreeMap<String, Action>,
    pub(crate) token: String,
}

impl Experiment {
    pub(crate) fn shown(&self) -> Value {
        let actions = self.actions.iter().map(|(name, action)| {
            let state = json!({"status": action.status.name(), "reason": action.reason});
            (name.clone(), json!({"actionId": action.of("actionId"), "state": state}))
        });
        json!({
            "id": self.id, "experimentTemplateId": self.template, "state": json!({"status": self.status.name(), "reason": self.reason}),
            "actions": Value::Object(actions.collect()),
        })
    }

    /// Ends waits whose time is over, and begins those whose turn has come. Returns the name of an
    /// action that is to be carried out now.
    pub(crate) fn advance(&mut self, clock_ms: u64) -> Option<String> {
        loop {
            for action in self.actions.values_mut().filter(|action| action.status == Status::Running) {
                if action.until_ms.is_some_and(|until| until <= clock_ms) {
                    action.status = Status::Completed;
                }
            }
            let is_done = |name: &str| self.actions.get(name).is_some_and(|action| action.status == Status::Completed);
            let is_next = |action: &Action| action.status == Status::Pending && action.starts_after().all(is_done);
            let name = self.actions.iter().find(|(_, action)| is_next(action)).map(|(name, _)| name.clone())?;
            let action = self.actions.get_mut(&name)?;
            action.status = Status::Running;
            match action.waits_ms() {
                Some(time) => action.until_ms = Some(clock_ms + time),
                None => return Some(name),
            }
        }
    }

    /// Ends the experiment if no action runs any more.
    pub(crate) fn settle(&mut self) {
        if self.actions.values().any(|action| action.status == Status::Running) {
            return;
        }
        let has = |status: Status| self.actions.values().any(|action| action.status == status);
        if self.status == Status::Stopping {
            self.status = Status::Stopped;
        } else if has(Status::Failed) {
            let reasons = self.actions.values().filter(|action| action.status == Status::Failed).map(|action| action.reason.clone());
            (self.status, self.reason) = (Status::Failed, reasons.collect::<Vec<_>>().join("; "));
        } else if !has(Status::Pending) {
            (self.status, self.reason) = (Status::Completed, "Experiment completed.".to_owned());
            return;
        } else {
            return;
        }
        for action in self.actions.values_mut().filter(|action| action.status == Status::Pending) {
            action.status = Status::Cancelled;
        }
    }
}
