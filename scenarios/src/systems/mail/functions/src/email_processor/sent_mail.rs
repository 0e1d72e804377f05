//! The table that makes sure that every mail is processed once. An attempt claims a row for as long
//! as the invocation can live, so another attempt can take over from one that died but not from one
//! that lives. The row then records which groups of readers have the mail, and finally how the mail
//! ended.

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use functions::clock::{Deadline, epoch_ms};
use functions::failure::DependencyFailure;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

const SERVICE: &str = "dynamodb";

/// How long a row is kept: longer than any message can be delivered again. A dead letter lives for
/// 14 days and may then be retried.
const KEPT: Duration = Duration::from_secs(365 * 86_400);

/// How a mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Sent through SES to all its readers.
    Delivered,
    /// Published to the fallback topic.
    Fallback,
}

impl Outcome {
    const ALL: [Self; 2] = [Self::Delivered, Self::Fallback];

    const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Fallback => "fallback",
        }
    }
}

/// The result of claiming a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// This attempt owns it until the deadline; the groups that have it already.
    Ours(BTreeSet<usize>),
    /// Another attempt has claimed it, and may still run.
    Held,
    /// The work is done.
    Ended(Outcome),
}

/// One attempt at one mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) mail: &'a str,
    /// Different from any other attempt's at this mail.
    pub(super) id: &'a str,
    pub(super) deadline: Deadline,
}

/// The table, or with `not-idempotent` no memory at all.
pub(super) enum SentMail {
    Table { client: Client, table: String },
    Forgetful,
}

impl SentMail {
    pub(super) fn new(config: &SdkConfig, table: String) -> Self {
        Self::Table { client: Client::new(config), table }
    }

    /// Claims the mail for this attempt.
    pub(super) async fn claim(&self, attempt: Attempt<'_>) -> Result<Claim, DependencyFailure> {
        let Some(update) = self.update(attempt) else { return Ok(Claim::Ours(BTreeSet::new())) };
        let now = SystemTime::now();
        let claimed = update
            .update_expression("SET #attempt = :attempt, #until = :until, #ttl = :ttl")
            .condition_expression(
                "attribute_not_exists(#outcome) AND (attribute_not_exists(#until) OR #until < :now OR #attempt = :attempt)",
            )
            .expression_attribute_names("#outcome", "outcome")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":until", number(epoch_ms(attempt.deadline.moment())))
            .expression_attribute_values(":now", number(epoch_ms(now)))
            .expression_attribute_values(":ttl", number(epoch_ms(now + KEPT) / 1000))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match claimed {
            Ok(row) => Ok(Claim::Ours(row.attributes().map(groups).unwrap_or_default())),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => {
                self.look(attempt).await
            }
            Err(error) => Err(DependencyFailure::of(SERVICE, &error)),
        }
    }

    /// Records that a group has the mail.
    pub(super) async fn sent(&self, attempt: Attempt<'_>, group: usize) -> Result<(), DependencyFailure> {
        let Some(update) = self.update(attempt) else { return Ok(()) };
        let update = update.update_expression("ADD #groups :group").expression_attribute_names("#groups", "groups");
        write(update.expression_attribute_values(":group", AttributeValue::Ns(vec![group.to_string()]))).await
    }

    /// Records how the mail ended.
    pub(super) async fn ended(&self, attempt: Attempt<'_>, outcome: Outcome) -> Result<(), DependencyFailure> {
        let Some(update) = self.update(attempt) else { return Ok(()) };
        let update = update
            .update_expression("SET #outcome = :outcome REMOVE #until")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#outcome", "outcome");
        write(update.expression_attribute_values(":outcome", AttributeValue::S(outcome.name().to_owned()))).await
    }

    /// Releases the claim, so that the next attempt need not wait for its end.
    pub(super) async fn release(&self, attempt: Attempt<'_>) -> Result<(), DependencyFailure> {
        let Some(update) = self.update(attempt) else { return Ok(()) };
        write(update.update_expression("REMOVE #until").expression_attribute_names("#until", "until")).await
    }

    fn update(&self, attempt: Attempt<'_>) -> Option<UpdateItemFluentBuilder> {
        let Self::Table { client, table } = self else { return None };
        let update = client.update_item().table_name(table).key("id", AttributeValue::S(attempt.mail.to_owned()));
        let id = AttributeValue::S(attempt.id.to_owned());
        Some(update.expression_attribute_names("#attempt", "attempt").expression_attribute_values(":attempt", id))
    }

    async fn look(&self, attempt: Attempt<'_>) -> Result<Claim, DependencyFailure> {
        let Self::Table { client, table } = self else { return Ok(Claim::Held) };
        let key = AttributeValue::S(attempt.mail.to_owned());
        let found = client.get_item().table_name(table).key("id", key).consistent_read(true).send().await;
        let found = found.map_err(|error| DependencyFailure::of(SERVICE, &error))?;
        let outcome = found.item().and_then(|row| row.get("outcome")).and_then(|value| value.as_s().ok());
        let outcome = Outcome::ALL.into_iter().find(|known| outcome.is_some_and(|name| name == known.name()));
        Ok(outcome.map_or(Claim::Held, Claim::Ended))
    }
}

/// Writes only if the row still belongs to this attempt.
async fn write(update: UpdateItemFluentBuilder) -> Result<(), DependencyFailure> {
    let written = update.condition_expression("#attempt = :attempt").send().await;
    written.map(|_| ()).map_err(|error| DependencyFailure::of(SERVICE, &error))
}

fn groups(row: &HashMap<String, AttributeValue>) -> BTreeSet<usize> {
    let numbers = row.get("groups").and_then(|value| value.as_ns().ok());
    numbers.into_iter().flatten().filter_map(|number| number.parse().ok()).collect()
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
