//! The quota, shared by all environments. Each call takes a turn, and one row of the table holds
//! the time of the next turn. Turns are spaced so that no second, wherever it begins, holds more
//! calls than the quota. A quota per calendar second would let twice as many through around its
//! end.

use super::Failure;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use functions::clock::{Deadline, TooLate, epoch_ms};
use functions::failure::DependencyFailure;
use std::time::{Duration, SystemTime};

const SERVICE: &str = "dynamodb";

/// The row's key.
const ROW: &str = "pace";

/// After so many failed attempts, the turns are booked for longer than this invocation lives.
const ATTEMPTS: u32 = 50;

/// Time to keep in reserve when a turn comes, for the call and what follows it.
const TO_CALL: Duration = Duration::from_secs(2);

pub(super) struct Pace {
    client: Client,
    table: String,
    step_ms: u64,
}

impl Pace {
    /// Allows `quota` calls a second, at least one.
    pub(super) fn new(client: Client, table: String, quota: u32) -> Self {
        Self { client, table, step_ms: step_ms(quota) }
    }

    /// Waits for the next turn.
    pub(super) async fn turn(&self, deadline: Deadline) -> Result<(), Failure> {
        let latest = epoch_ms(deadline.moment()).saturating_sub(millis(TO_CALL));
        for _ in 0..ATTEMPTS {
            let now = epoch_ms(SystemTime::now());
            if now >= latest {
                break;
            }
            // Behind the tasks that wait already ...
            if let Some(next) = self.update("ADD #next :next", "#next > :now AND #next < :latest", self.step_ms, now, Some(latest)).await? {
                let turn = next.saturating_sub(self.step_ms);
                tokio::time::sleep(Duration::from_millis(turn.saturating_sub(epoch_ms(SystemTime::now())))).await;
                return Ok(());
            }
            // ... or at once, if no other task waits.
            let free = "attribute_not_exists(#next) OR #next <= :now";
            if self.update("SET #next = :next", free, now + self.step_ms, now, None).await?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(self.step_ms)).await;
        }
        Err(TooLate.into())
    }

    /// Returns the time of the next turn; `None` if the condition does not hold.
    async fn update(
        &self,
        expression: &str,
        condition: &str,
        next: u64,
        now: u64,
        latest: Option<u64>,
    ) -> Result<Option<u64>, DependencyFailure> {
        let number = |value: u64| AttributeValue::N(value.to_string());
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(ROW.to_owned()))
            .update_expression(expression)
            .condition_expression(condition)
            .expression_attribute_names("#next", "next")
            .expression_attribute_values(":next", number(next))
            .expression_attribute_values(":now", number(now))
            .return_values(ReturnValue::UpdatedNew);
        let update = latest.into_iter().fold(update, |update, latest| update.expression_attribute_values(":latest", number(latest)));
        match update.send().await {
            Ok(row) => {
                let next =
                    row.attributes().and_then(|row| row.get("next")).and_then(|next| next.as_n().ok()).and_then(|next| next.parse().ok());
                next.map(Some).ok_or_else(|| DependencyFailure::new(SERVICE, "the answer was not understood"))
            }
            Err(error) if error.as_service_error().is_some_and(|error| error.is_conditional_check_failed_exception()) => Ok(None),
            Err(error) => Err(DependencyFailure::of(SERVICE, &error)),
        }
    }
}

/// A twentieth longer than the quota requires, because one call may be delayed on its way and the
/// next one not.
fn step_ms(quota: u32) -> u64 {
    1050_u64.div_ceil(u64::from(quota.max(1)))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_holds_more_turns_than_the_quota() {
        for quota in [1, 2, 3, 7, 24, 25, 50, 1000] {
            assert!(step_ms(quota) * u64::from(quota) > 1000, "{quota}");
            assert!(step_ms(quota) * u64::from(quota) < 1050 + u64::from(quota), "{quota} is wasted");
        }
    }
}
