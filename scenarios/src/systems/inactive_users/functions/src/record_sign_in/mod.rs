//! `record-sign-in`: records when a user last signed in, and returns the event unchanged. A user
//! waits for it. The newer of two sign-ins counts, whichever is written last. A sign-in that cannot
//! be recorded fails, so that none succeeds without its record.

mod sign_in_time;

use crate::weaknesses::SignInWeakness;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use functions::clock::{Deadline, TooLate, iso8601};
use functions::failure::DependencyFailure;
use functions::settings::{Reader, SettingsError};
use functions::weaknesses::Weaknesses;
use serde_json::Value;
use sign_in_time::sign_in_time;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

const SERVICE: &str = "dynamodb";

const DAY_S: u64 = 86_400;

/// Time to keep in reserve for the answer.
const TO_ANSWER: Duration = Duration::from_millis(200);

/// The function's environment variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `TABLE_NAME`: the latest sign-ins.
    pub table: String,
    /// `THRESHOLD_DAYS`: for how long a sign-in counts; 0 for tests.
    pub threshold_days: u32,
    /// `WEAKNESSES`
    pub weaknesses: Weaknesses<SignInWeakness>,
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
            threshold_days: reader.number("THRESHOLD_DAYS", 0),
            weaknesses: reader.weaknesses(),
        };
        reader.finish(settings)
    }
}

/// Why a sign-in is not recorded, and therefore fails.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignInError {
    /// The event lacks something.
    #[error("the event has no `{0}`")]
    Event(&'static str),
    /// The table failed.
    #[error(transparent)]
    Dependency(#[from] DependencyFailure),
    /// The invocation is about to end.
    #[error(transparent)]
    TooLate(#[from] TooLate),
}

/// The function with its client.
pub struct RecordSignIn {
    weaknesses: Weaknesses<SignInWeakness>,
    client: Client,
    table: String,
    threshold_days: u32,
}

impl RecordSignIn {
    /// Builds the function from `settings`, with a client from `config`.
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        Self {
            client: Client::new(config),
            table: settings.table,
            threshold_days: settings.threshold_days,
            weaknesses: settings.weaknesses,
        }
    }

    /// Records the sign-in of one event and returns the event. `trace` is the invocation's trace
    /// header. Events of other triggers are returned without a record.
    ///
    /// # Errors
    /// If the sign-in could not be recorded.
    pub async fn answer(&self, event: Value, trace: Option<&str>, deadline: Deadline) -> Result<Value, SignInError> {
        let arrival = SystemTime::now();
        if event.get("triggerSource").and_then(Value::as_str) == Some("PostAuthentication_Authentication") {
            deadline.limit(TO_ANSWER, self.record(&event, sign_in_time(trace, arrival))).await??;
        }
        Ok(event)
    }

    async fn record(&self, event: &Value, time: SystemTime) -> Result<(), SignInError> {
        let required = |pointer: &'static str| {
            let text = event.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(|text| AttributeValue::S(text.to_owned())).ok_or(SignInError::Event(pointer))
        };
        let expires = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + u64::from(self.threshold_days) * DAY_S;
        let timestamp = AttributeValue::S(iso8601(time));
        let mut put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("sub", required("/request/userAttributes/sub")?)
            .item("timestamp", timestamp.clone())
            .item("username", required("/userName")?)
            .item("userpool_id", required("/userPoolId")?)
            .item("ttl", AttributeValue::N(expires.to_string()));
        if !self.weaknesses.has(SignInWeakness::LateWriteWins) {
            put = put
                .condition_expression("attribute_not_exists(#timestamp) OR #timestamp < :timestamp")
                .expression_attribute_names("#timestamp", "timestamp")
                .expression_attribute_values(":timestamp", timestamp);
        }
        match put.send().await {
            Ok(_) => Ok(()),
            // A newer sign-in is recorded, or an earlier call recorded this one: both are the
            // wanted result.
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(DependencyFailure::of(SERVICE, &error).into()),
        }
    }
}
