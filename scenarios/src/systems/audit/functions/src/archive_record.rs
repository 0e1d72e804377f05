//! `archive-record`: copies a record from the cache into the bucket, byte for byte. It does not
//! archive a record whose row was deleted, and does not store one that is archived already.

use crate::audit::task::{Input, Neighbours, Task, TaskError, carry_out};
use crate::audit::{Flag, Notice, Notices, Rows, cache, cache_key, sha256};
use crate::weaknesses::AuditWeakness;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use functions::clock::Deadline;
use functions::failure::DependencyFailure;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use serde_json::Value;

const TASK: Task = Task { name: "archive", notice: Notice::Archived };

/// The function's environment variables.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`: the records.
    pub table: String,
    /// `CACHE_URL`
    pub cache: redis::Client,
    /// `ARCHIVE_BUCKET`
    pub bucket: String,
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
        let (bucket, topic) = (reader.required("ARCHIVE_BUCKET"), reader.required("NOTICES_TOPIC"));
        let weaknesses = reader.weaknesses();
        reader.finish_with(cache, |cache| Self { table, cache, bucket, topic, weaknesses })
    }
}

/// The function with its clients.
pub struct ArchiveRecord {
    neighbours: Neighbours,
    archive: Client,
    bucket: String,
    weaknesses: Weaknesses<AuditWeakness>,
}

impl ArchiveRecord {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let (rows, notices) = (Rows::new(config, settings.table), Notices::new(config, settings.topic));
        Self {
            neighbours: Neighbours::new(settings.cache, rows, notices),
            archive: Client::new(config),
            bucket: settings.bucket,
            weaknesses: settings.weaknesses,
        }
    }

    /// Archives the record of one execution.
    ///
    /// # Errors
    /// The error's name tells the state machine what to do.
    pub async fn answer(&self, event: Value, deadline: Deadline) -> Result<Value, TaskError> {
        carry_out(TASK, event, deadline, &self.weaknesses, &self.neighbours.notices, |input| self.archive(input)).await
    }

    async fn archive(&self, input: Input) -> Result<(), TaskError> {
        let Neighbours { cache, rows, .. } = &self.neighbours;
        let again = self.weaknesses.has(AuditWeakness::RepeatsStoredAgain);
        if !again {
            let claimed = rows.raise(&input.id, Flag::Archiving, &[], true).await?.ok_or(TaskError::RecordGone)?;
            // An earlier attempt stored it, and `close-record` may have deleted it from the cache
            // since.
            if claimed.has(Flag::Archived) {
                return Ok(());
            }
        }
        let bytes = cache.get(&cache_key(&input.id)).await?.ok_or(TaskError::RecordGone)?;
        if sha256(&bytes) != input.sha256 {
            return Err(TaskError::RecordDamaged);
        }
        let key = match (again, &input.request) {
            (true, Some(request)) => format!("records/{}/{request}", input.id),
            (true, None) => return Err(TaskError::InputNotUnderstood("found no `requestID`".to_owned())),
            (false, _) => format!("records/{}", input.id),
        };
        let put = self.archive.put_object().bucket(&self.bucket).key(key).content_type(input.content_type);
        put.body(ByteStream::from(bytes)).send().await.map_err(|error| DependencyFailure::of("s3", &error))?;
        rows.raise(&input.id, Flag::Archived, &[], !again).await?.ok_or(TaskError::RecordGone)?;
        Ok(())
    }
}
