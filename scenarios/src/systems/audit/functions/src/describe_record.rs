//! `describe-record`: writes a record's metadata into its row. It never reads the record itself.

use crate::audit::task::{Input, Task, TaskError, carry_out};
use crate::audit::{Flag, Notice, Notices, Rows};
use crate::weaknesses::AuditWeakness;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use functions::clock::Deadline;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use serde_json::Value;

const TASK: Task = Task { name: "describe", notice: Notice::Described };

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the records.
    pub table: String,
    /// `NOTICES_TOPIC`: its ARN.
    pub topic: String,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<AuditWeakness>,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings =
            Self { table: reader.required("TABLE_NAME"), topic: reader.required("NOTICES_TOPIC"), weaknesses: reader.weaknesses() };
        reader.finish(settings)
    }
}

/// The function with its clients.
pub struct DescribeRecord {
    rows: Rows,
    notices: Notices,
    weaknesses: Weaknesses<AuditWeakness>,
}

impl DescribeRecord {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let (rows, notices) = (Rows::new(config, settings.table), Notices::new(config, settings.topic));
        Self { rows, notices, weaknesses: settings.weaknesses }
    }

    /// Describes the record of one execution.
    ///
    /// # Errors
    /// The error's name tells the state machine what to do.
    pub async fn answer(&self, event: Value, deadline: Deadline) -> Result<Value, TaskError> {
        carry_out(TASK, event, deadline, &self.weaknesses, &self.notices, |input| self.describe(input)).await
    }

    async fn describe(&self, input: Input) -> Result<(), TaskError> {
        let known = [
            ("sourceSystem", AttributeValue::S(input.source_system)),
            ("occurredAt", AttributeValue::S(input.occurred_at)),
            ("contentType", AttributeValue::S(input.content_type)),
            ("size", AttributeValue::N(input.size.to_string())),
        ];
        let must_be_there = !self.weaknesses.has(AuditWeakness::RepeatsStoredAgain);
        self.rows.raise(&input.id, Flag::Described, &known, must_be_there).await?.ok_or(TaskError::RecordGone)?;
        Ok(())
    }
}
