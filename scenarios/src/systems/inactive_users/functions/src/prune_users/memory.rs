//! Remembers what was done about each expiry, so that a repeat has no second effect: if an
//! administrator enables a user again, that stays.

use super::expiry::Expiry;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use functions::clock::epoch_ms;
use functions::failure::DependencyFailure;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

const SERVICE: &str = "dynamodb";

/// How long a row is kept: much longer than a record of the stream or a message of the on-failure
/// queue.
const KEPT: Duration = Duration::from_secs(365 * 86_400);

/// How far the work on an expiry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was done.
    New,
    /// The user may have been disabled, and was not checked since.
    Begun,
    /// The work is done.
    Done,
}

pub(super) struct Memory {
    client: Client,
    table: String,
}

impl Memory {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads how far the work has come.
    pub(super) async fn recall(&self, expiry: &Expiry<'_>) -> Result<Progress, DependencyFailure> {
        let found = self.client.get_item().table_name(&self.table).key("id", id(expiry)).consistent_read(true).send().await;
        Ok(progress(found.map_err(|error| DependencyFailure::of(SERVICE, &error))?.item()))
    }

    /// Records that the work starts and returns how far it had come before, in one step.
    pub(super) async fn begin(&self, expiry: &Expiry<'_>) -> Result<Progress, DependencyFailure> {
        let ttl = epoch_ms(SystemTime::now() + KEPT) / 1000;
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id(expiry))
            .update_expression("SET #progress = if_not_exists(#progress, :begun), #ttl = :ttl")
            .expression_attribute_names("#progress", "progress")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":begun", AttributeValue::S(BEGUN.to_owned()))
            .expression_attribute_values(":ttl", AttributeValue::N(ttl.to_string()))
            .return_values(ReturnValue::AllOld);
        Ok(progress(update.send().await.map_err(|error| DependencyFailure::of(SERVICE, &error))?.attributes()))
    }

    /// Records that the work is done.
    pub(super) async fn finish(&self, expiry: &Expiry<'_>) -> Result<(), DependencyFailure> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", id(expiry))
            .update_expression("SET #progress = :done")
            .expression_attribute_names("#progress", "progress")
            .expression_attribute_values(":done", AttributeValue::S(DONE.to_owned()));
        update.send().await.map(|_| ()).map_err(|error| DependencyFailure::of(SERVICE, &error))
    }
}

const BEGUN: &str = "begun";
const DONE: &str = "done";

fn id(expiry: &Expiry<'_>) -> AttributeValue {
    AttributeValue::S(format!("expiry#{}#{}", expiry.sub, expiry.sequence))
}

fn progress(row: Option<&HashMap<String, AttributeValue>>) -> Progress {
    match row.and_then(|row| row.get("progress")).and_then(|value| value.as_s().ok()).map(String::as_str) {
        Some(DONE) => Progress::Done,
        Some(_) => Progress::Begun,
        None => Progress::New,
    }
}
