//! `prune-users`: disables the users whose last sign-in is too long ago. Only an expiry disables a
//! user, never a delete by hand, and never a user who has signed in since. Repeats change nothing,
//! and a record that cannot be processed does not block the others.

mod expiry;
mod memory;
mod pace;
mod users;

pub use expiry::Lacking;

use crate::weaknesses::PruneWeakness;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use expiry::{Expiry, is_expiry, records, sequence};
use functions::clock::{Deadline, TooLate};
use functions::failure::DependencyFailure;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use memory::{Memory, Progress};
use pace::Pace;
use serde_json::{Value, json};
use std::time::Duration;
use thiserror::Error;
use users::{Called, Users};

const SERVICE: &str = "dynamodb";

/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_millis(300);

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the latest sign-ins.
    pub table: String,
    /// `DISABLES_TABLE`: the shared pace of all environments, and the work that was done.
    pub disables_table: String,
    /// `DISABLES_A_SECOND`: the quota.
    pub disables_a_second: u32,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<PruneWeakness>,
}

impl Settings {
    /// Reads the variables with `lookup`.
    ///
    /// # Errors
    /// If a variable is missing or invalid; the error names all of them.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(lookup);
        let settings = Self {
            table: reader.required("TABLE_NAME"),
            disables_table: reader.required("DISABLES_TABLE"),
            disables_a_second: reader.number("DISABLES_A_SECOND", 1),
            weaknesses: reader.weaknesses(),
        };
        reader.finish(settings)
    }
}

/// Why the work on an expiry failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The record cannot be understood.
    #[error(transparent)]
    Record(#[from] Lacking),
    /// A dependency failed.
    #[error(transparent)]
    Dependency(#[from] DependencyFailure),
    /// The invocation is about to end.
    #[error(transparent)]
    TooLate(#[from] TooLate),
    /// The user does not exist any more, which matters only to `whole-batch-fails`.
    #[error("there is no such user")]
    NoSuchUser,
}

/// The function with its clients.
pub struct PruneUsers {
    weaknesses: Weaknesses<PruneWeakness>,
    client: Client,
    table: String,
    memory: Memory,
    users: Users,
}

impl PruneUsers {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let client = Client::new(config);
        let is_paced = !settings.weaknesses.has(PruneWeakness::NoRateLimit);
        let pace = is_paced.then(|| Pace::new(client.clone(), settings.disables_table.clone(), settings.disables_a_second));
        Self {
            memory: Memory::new(client.clone(), settings.disables_table),
            users: Users::new(config, pace),
            client,
            table: settings.table,
            weaknesses: settings.weaknesses,
        }
    }

    /// Processes one batch and returns the failed records. Lambda retries from the first of them
    /// on, including records behind it that are done.
    ///
    /// # Errors
    /// If a record has no sequence number to report it by, and with `whole-batch-fails` on the
    /// first failure.
    pub async fn answer(&self, event: Value, deadline: Deadline) -> Result<Value, Failure> {
        let mut failures = Vec::new();
        for record in records(&event)?.iter().filter(|record| is_expiry(record)) {
            let sequence = sequence(record)?;
            match deadline.limit(TO_ANSWER, self.expire(record, deadline)).await.unwrap_or_else(|late| Err(late.into())) {
                Ok(()) => {}
                Err(failure) if self.weaknesses.has(PruneWeakness::WholeBatchFails) => return Err(failure),
                Err(failure) => {
                    eprintln!("prune-users: record {sequence}: {failure}");
                    failures.push(json!({"itemIdentifier": sequence}));
                }
            }
        }
        Ok(json!({"batchItemFailures": failures}))
    }

    async fn expire(&self, record: &Value, deadline: Deadline) -> Result<(), Failure> {
        let expiry = Expiry::read(record)?;
        if self.has_signed_in_since(&expiry).await? {
            // An earlier attempt at this record may have disabled the user without checking again.
            return if self.memory.recall(&expiry).await? == Progress::Begun { self.enable(&expiry, deadline).await } else { Ok(()) };
        }
        if self.memory.begin(&expiry).await? == Progress::Done {
            return Ok(());
        }
        let called = self.users.disable(&expiry, deadline).await?;
        if called == Called::NoSuchUser && self.weaknesses.has(PruneWeakness::WholeBatchFails) {
            return Err(Failure::NoSuchUser);
        }
        if called == Called::Done && self.has_signed_in_since(&expiry).await? {
            return self.enable(&expiry, deadline).await;
        }
        Ok(self.memory.finish(&expiry).await?)
    }

    async fn enable(&self, expiry: &Expiry<'_>, deadline: Deadline) -> Result<(), Failure> {
        self.users.enable(expiry, deadline).await?;
        Ok(self.memory.finish(expiry).await?)
    }

    /// Whether the user has a row again. The expired row is gone, so a row here was written since;
    /// if that expires too, it is another expiry.
    async fn has_signed_in_since(&self, expiry: &Expiry<'_>) -> Result<bool, DependencyFailure> {
        if self.weaknesses.has(PruneWeakness::NoCheckBeforeDisable) {
            return Ok(false);
        }
        let key = AttributeValue::S(expiry.sub.to_owned());
        let found = self.client.get_item().table_name(&self.table).key("sub", key).consistent_read(true).send().await;
        Ok(found.map_err(|error| DependencyFailure::of(SERVICE, &error))?.item().is_some())
    }
}
