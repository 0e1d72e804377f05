//! How a task of the state machine begins and ends: the input of every task, the error types by
//! which the state machine decides, and the result.

use super::cache::{self, Cache};
use super::{Notice, Notices, Rows};
use crate::weaknesses::AuditWeakness;
use functions::clock::{Deadline, TooLate};
use functions::failure::DependencyFailure;
use functions::weaknesses::Weaknesses;
use lambda_runtime::Diagnostic;
use serde::Deserialize;
use serde_json::{Value, json};
use std::pin::Pin;
use std::time::Duration;
use thiserror::Error;

/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_millis(300);

/// The execution's input.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The record's id.
    #[serde(rename = "sourceTransactionID")]
    pub id: String,
    /// The system that sent the record.
    pub source_system: String,
    /// When it occurred, as the sender wrote it.
    pub occurred_at: String,
    /// The type of its content.
    pub content_type: String,
    /// The digest of the record's bytes, in hexadecimal.
    pub sha256: String,
    /// The number of its bytes.
    pub size: u64,
    /// The request that sent it; only with `repeats-stored-again`.
    #[serde(rename = "requestID")]
    pub request: Option<String>,
}

/// Why a task fails. Each name is an error type that the state machine knows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TaskError {
    /// The record is not in the cache, or was withdrawn.
    #[error("the record is gone")]
    RecordGone,
    /// The record's bytes are not the ones that were ingested.
    #[error("the record's digest is not that of its input")]
    RecordDamaged,
    /// A call to a dependency failed.
    #[error(transparent)]
    NeighbourFailed(#[from] DependencyFailure),
    /// The invocation was about to time out before a call had ended.
    #[error(transparent)]
    TooLate(#[from] TooLate),
    /// The record is not archived and described yet.
    #[error("the record is not yet archived and described")]
    NotYet,
    /// The input is not a record.
    #[error("the input is not understood: {0}")]
    InputNotUnderstood(String),
}

impl TaskError {
    /// The `errorType` that Lambda passes on.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RecordGone => "RecordGone",
            Self::RecordDamaged => "RecordDamaged",
            Self::NeighbourFailed(_) | Self::TooLate(_) => "NeighbourFailed",
            Self::NotYet => "NotYet",
            Self::InputNotUnderstood(_) => "InputNotUnderstood",
        }
    }
}

impl From<TaskError> for Diagnostic {
    fn from(error: TaskError) -> Self {
        Self { error_type: error.name().to_owned(), error_message: error.to_string() }
    }
}

/// The name of a task, and what its notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) name: &'static str,
    pub(crate) notice: Notice,
}

/// Reads the input, does the work while there is time, publishes the notice, and returns the
/// result.
pub(crate) async fn carry_out<W: Future<Output = Result<(), TaskError>>>(
    task: Task,
    event: Value,
    deadline: Deadline,
    weaknesses: &Weaknesses<AuditWeakness>,
    notices: &Notices,
    work: impl FnOnce(Input) -> W,
) -> Result<Value, TaskError> {
    let input: Input = serde_json::from_value(event).map_err(|error| TaskError::InputNotUnderstood(error.to_string()))?;
    let id = input.id.clone();
    // Boxed as a trait object: the future types of the SDK's calls nest more deeply than the
    // compiler's limit.
    let work: Pin<Box<dyn Future<Output = Result<(), TaskError>> + '_>> = Box::pin(work(input));
    let done = deadline.limit(TO_ANSWER, async {
        work.await?;
        notices.publish(task.notice, &id).await.map_err(TaskError::from)
    });
    match done.await.unwrap_or_else(|late| Err(late.into())) {
        Ok(()) => Ok(json!({"task": task.name, "status": "ok"})),
        Err(error @ (TaskError::NeighbourFailed(_) | TaskError::TooLate(_))) if weaknesses.has(AuditWeakness::FailureAsSuccess) => {
            eprintln!("{}: {error}", task.name);
            Ok(json!({"task": task.name, "status": "error"}))
        }
        Err(error) => Err(error),
    }
}

/// The clients that two of the tasks need besides their own.
pub(crate) struct Neighbours {
    pub(crate) cache: Cache,
    pub(crate) rows: Rows,
    pub(crate) notices: Notices,
}

impl Neighbours {
    pub(crate) fn new(cache: redis::Client, rows: Rows, notices: Notices) -> Self {
        Self { cache: cache::Cache::new(cache), rows, notices }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_recognised_by_its_type() {
        let failed = TaskError::NeighbourFailed(DependencyFailure::new("s3", "no answer in time"));
        for (error, name) in [
            (TaskError::RecordGone, "RecordGone"),
            (TaskError::RecordDamaged, "RecordDamaged"),
            (failed, "NeighbourFailed"),
            (TaskError::TooLate(TooLate), "NeighbourFailed"),
            (TaskError::NotYet, "NotYet"),
        ] {
            let message = error.to_string();
            let told = Diagnostic::from(error);
            assert_eq!((told.error_type.as_str(), told.error_message), (name, message));
        }
    }
}
