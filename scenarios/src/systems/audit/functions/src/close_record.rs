//! `close-record`: deletes a record from the cache once it is archived and described, and never
//! before.

use crate::audit::task::{Input, Neighbours, Task, TaskError, carry_out};
use crate::audit::{Flag, Notice, Notices, Rows, cache, cache_key};
use crate::weaknesses::AuditWeakness;
use aws_config::SdkConfig;
use functions::clock::Deadline;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use serde_json::Value;

const TASK: Task = Task { name: "close", notice: Notice::Closed };

/// The function's environment variables.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`: the records.
    pub table: String,
    /// `CACHE_URL`
    pub cache: redis::Client,
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
        let (table, cache) = (reader.required("TABLE_NAME"), reader.parsed("CACHE_URL", cache::AN_ADDRESS, cache::at));
        let (topic, weaknesses) = (reader.required("NOTICES_TOPIC"), reader.weaknesses());
        reader.finish_with(cache, |cache| Self { table, cache, topic, weaknesses })
    }
}

/// The function with its clients.
pub struct CloseRecord {
    neighbours: Neighbours,
    weaknesses: Weaknesses<AuditWeakness>,
}

impl CloseRecord {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let (rows, notices) = (Rows::new(config, settings.table), Notices::new(config, settings.topic));
        Self { neighbours: Neighbours::new(settings.cache, rows, notices), weaknesses: settings.weaknesses }
    }

    /// Closes the record of one execution.
    ///
    /// # Errors
    /// The error's name tells the state machine what to do.
    pub async fn answer(&self, event: Value, deadline: Deadline) -> Result<Value, TaskError> {
        carry_out(TASK, event, deadline, &self.weaknesses, &self.neighbours.notices, |input| self.close(input)).await
    }

    async fn close(&self, input: Input) -> Result<(), TaskError> {
        let Neighbours { cache, rows, .. } = &self.neighbours;
        if !self.weaknesses.has(AuditWeakness::ClosesAtOnce) {
            match rows.find(&input.id).await? {
                Some(row) if row.has(Flag::Archived) && row.has(Flag::Described) => {}
                // Without a row there is nothing to wait for, except with the weakness that never
                // puts a row.
                None if !self.weaknesses.has(AuditWeakness::RepeatsStoredAgain) => return Err(TaskError::RecordGone),
                _ => return Err(TaskError::NotYet),
            }
        }
        cache.delete(&cache_key(&input.id)).await?;
        let must_be_there = !self.weaknesses.has(AuditWeakness::RepeatsStoredAgain);
        rows.raise(&input.id, Flag::Closed, &[], must_be_there).await?.ok_or(TaskError::RecordGone)?;
        Ok(())
    }
}
