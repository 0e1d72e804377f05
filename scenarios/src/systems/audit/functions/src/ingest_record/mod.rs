//! `ingest-record`: checks a record, keeps its bytes in the cache and starts its execution. A
//! sender that gets a 200 may forget the record; a sender that gets a 503 may send it again,
//! because nothing will come of it. If the function can promise neither, it fails.

mod date;
mod record;

use crate::audit::cache::{self, Cache};
use crate::audit::{Flag, Rows, TakenBack, cache_key, sha256};
use crate::weaknesses::AuditWeakness;
use aws_config::SdkConfig;
use aws_sdk_sfn::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use functions::clock::{Deadline, TooLate};
use functions::failure::DependencyFailure;
use functions::http_event::{answer, message, unavailable};
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use record::Record;
use serde::Deserialize;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cell::Cell;
use std::pin::Pin;
use std::time::Duration;
use thiserror::Error;

/// Time to keep in reserve for withdrawing a record: its row, then the answer.
pub const TO_TAKE_BACK: Duration = Duration::from_millis(5_500);
/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_millis(300);

/// The function's environment variables.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`: the records.
    pub table: String,
    /// `CACHE_URL`
    pub cache: redis::Client,
    /// `STATE_MACHINE_ARN`
    pub state_machine: String,
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
        let (state_machine, weaknesses) = (reader.required("STATE_MACHINE_ARN"), reader.weaknesses());
        reader.finish_with(cache, |cache| Self { table, cache, state_machine, weaknesses })
    }
}

/// What this function needs of the gateway's event. Records are large, so it keeps nothing else of
/// the event.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
    /// Whether it is in base64.
    #[serde(default, rename = "isBase64Encoded")]
    pub is_base64: bool,
}

/// The record's fate is unknown: it may be archived or not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record may be processed or not: {started}; it was not taken back: {}", .taken_back.as_ref().map_or_else(|| "it has no row of its own".to_owned(), ToString::to_string))]
pub struct Unsettled {
    started: Failed,
    taken_back: Option<Failed>,
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum Failed {
    #[error(transparent)]
    Neighbour(#[from] DependencyFailure),
    #[error(transparent)]
    TooLate(#[from] TooLate),
}

/// The result for a valid record.
enum Outcome {
    Accepted,
    /// Another record has this id.
    Conflict,
}

/// The function with its clients.
pub struct IngestRecord {
    cache: Cache,
    rows: Rows,
    machines: Client,
    state_machine: String,
    weaknesses: Weaknesses<AuditWeakness>,
}

impl IngestRecord {
    /// Builds the function from `settings`, with clients from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        Self {
            cache: Cache::new(settings.cache),
            rows: Rows::new(config, settings.table),
            machines: Client::new(config),
            state_machine: settings.state_machine,
            weaknesses: settings.weaknesses,
        }
    }

    /// Answers one event of the gateway. `request` is the invocation's id.
    ///
    /// # Errors
    /// If neither a 200 nor a 503 would be true.
    pub async fn answer(&self, event: Event, request: &str, deadline: Deadline) -> Result<Value, Unsettled> {
        let record = match self.read(event) {
            Ok(record) => record,
            Err(wrong) => return Ok(message(400, &wrong.to_string())),
        };
        let id = record.id.clone();
        // Whether this call may have started an execution.
        let begun = Cell::new(false);
        // Boxed as a trait object: the future types of the SDK's calls nest more deeply than the
        // compiler's limit.
        let take: Pin<Box<dyn Future<Output = Result<Outcome, DependencyFailure>> + '_>> = Box::pin(self.take(record, request, &begun));
        let taken = deadline.limit(TO_TAKE_BACK, take).await;
        let failed = match taken.map_err(Failed::from).and_then(|taken| taken.map_err(Failed::from)) {
            Ok(Outcome::Accepted) => return Ok(accepted(&id)),
            Ok(Outcome::Conflict) => return Ok(message(409, "`sourceTransactionID` is that of a record with other content")),
            Err(failed) => failed,
        };
        eprintln!("ingest-record: {failed}");
        let taken_back = deadline.limit(TO_ANSWER, self.take_back(&id, request)).await;
        match taken_back.map_err(Failed::from).and_then(|taken_back| taken_back.map_err(Failed::from)) {
            // The execution exists and has the record.
            Ok(TakenBack::TooLate) => Ok(accepted(&id)),
            Ok(TakenBack::Yes) => Ok(unavailable()),
            // No execution was started, so all that is left is a row that the next request finds.
            _ if !begun.get() => Ok(unavailable()),
            Ok(TakenBack::Anothers) => Err(Unsettled { started: failed, taken_back: None }),
            Err(taken_back) => Err(Unsettled { started: failed, taken_back: Some(taken_back) }),
        }
    }

    /// Reads the record and drops the event's body.
    fn read(&self, event: Event) -> Result<Record, record::Wrong> {
        let body = event.body.unwrap_or_default();
        let bytes = if event.is_base64 { Cow::Owned(STANDARD.decode(&body).unwrap_or_default()) } else { Cow::Borrowed(body.as_bytes()) };
        Record::read(&bytes, self.weaknesses.has(AuditWeakness::LenientBase64))
    }

    async fn take(&self, record: Record, request: &str, begun: &Cell<bool>) -> Result<Outcome, DependencyFailure> {
        let Record { id, source_system, occurred_at, content_type, content } = record;
        let (sha256, size) = (sha256(&content), content.len());
        while !self.again()
            && let Some(row) = self.rows.put(&id, &sha256, request).await?
        {
            if !row.has_digest(&sha256) {
                return Ok(Outcome::Conflict);
            }
            if row.has(Flag::Closed) {
                return Ok(Outcome::Accepted);
            }
            // The request that put the row may yet withdraw the record; then the row is gone.
            if self.rows.join(&id, request).await? {
                break;
            }
        }
        self.cache.set(&cache_key(&id), content).await?;
        let mut input = json!({"sourceTransactionID": id, "sourceSystem": source_system, "occurredAt": occurred_at, "contentType": content_type,
            "sha256": sha256, "size": size});
        let mut name = id;
        if self.again() {
            name = new_name(&name, request);
            if let Some(input) = input.as_object_mut() {
                input.insert("requestID".to_owned(), request.into());
            }
        }
        begun.set(true);
        self.start(&name, &input).await?;
        Ok(Outcome::Accepted)
    }

    async fn start(&self, name: &str, input: &Value) -> Result<(), DependencyFailure> {
        let start = self.machines.start_execution().state_machine_arn(&self.state_machine).name(name).input(input.to_string());
        match start.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_already_exists()) => Ok(()),
            Err(error) => Err(DependencyFailure::of("states", &error)),
        }
    }

    /// Deletes the row: without it nothing archives the record. The bytes stay in the cache until
    /// they expire, because they may be those of another request by now.
    async fn take_back(&self, id: &str, request: &str) -> Result<TakenBack, DependencyFailure> {
        if self.again() { Ok(TakenBack::Anothers) } else { self.rows.take_back(id, request).await }
    }

    /// The weakness `repeats-stored-again`: each request is a record of its own.
    fn again(&self) -> bool {
        self.weaknesses.has(AuditWeakness::RepeatsStoredAgain)
    }
}

/// A name that no other request has, at most 80 characters, as Step Functions accepts it.
fn new_name(id: &str, request: &str) -> String {
    format!("{id}-{request}").chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect()
}

fn accepted(id: &str) -> Value {
    answer(200, &json!({"sourceTransactionID": id, "status": "accepted"}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_name_fits_and_keeps_what_makes_it_new() {
        let request = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
        assert_eq!(new_name("a", request), format!("a-{request}"));
        let long = new_name(&"x".repeat(64), request);
        assert!(long.len() == 80 && long.ends_with(request), "{long}");
    }
}
