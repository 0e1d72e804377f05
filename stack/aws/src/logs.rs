//! Reads the ledgers that extensions write on standard output: CloudWatch Logs keeps them, seconds to a minute late and in any order.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use faults::Entry;

use crate::call::{CallError, Meaning};
use crate::secret::Variables;

/// Lines of the ledger, whatever else stands in the log. Syntax: CloudWatch Logs, filter patterns for JSON.
const PATTERN: &str = r#"{ $.brownout.entry = "*" }"#;

/// A line may come so long after newer ones: so far back every look goes again.
const LATE: Duration = Duration::from_secs(90);

/// The ledger of one function.
#[derive(Debug)]
pub struct Ledger {
    client: aws_sdk_cloudwatchlogs::Client,
    group: String,
    /// Milliseconds since 1970 from which lines count.
    from: i64,
    /// The newest line so far.
    newest: i64,
    /// Lines that were told already, with their time: they are read again.
    told: HashMap<String, i64>,
}

impl Ledger {
    /// The ledger in the log group of a function called `function`, from `from` on, in milliseconds since 1970.
    pub fn new(config: &SdkConfig, function: &str, from: i64) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build();
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(config).retry_config(RetryConfig::standard()).timeout_config(timeouts);
        let client = aws_sdk_cloudwatchlogs::Client::from_conf(config.build());
        Self { client, group: format!("/aws/lambda/{function}"), from, newest: from, told: HashMap::new() }
    }

    /// The entries that have come since the last look.
    ///
    /// # Errors
    /// What the call says; the next look finds what this one did not. A group that is not there yet has no entries.
    pub async fn entries(&mut self) -> Result<Vec<Entry>, CallError> {
        let late = i64::try_from(LATE.as_millis()).unwrap_or(i64::MAX);
        let since = (self.newest - late).max(self.from);
        let (mut entries, mut page) = (Vec::new(), None);
        loop {
            let call = self.client.filter_log_events().log_group_name(&self.group).filter_pattern(PATTERN).start_time(since);
            let read = match call.set_next_token(page.take()).send().await {
                Ok(read) => read,
                Err(error) => match CallError::read("FilterLogEvents", &self.group, &error, &Variables::default()) {
                    missing if missing.meaning == Meaning::Missing => return Ok(entries),
                    error => return Err(error),
                },
            };
            for event in read.events() {
                let (Some(id), Some(line), Some(at)) = (event.event_id(), event.message(), event.timestamp()) else { continue };
                self.newest = self.newest.max(at);
                if self.told.insert(id.to_owned(), at).is_none() {
                    entries.extend(Entry::from_line(line.trim_end()));
                }
            }
            page = read.next_token().map(str::to_owned);
            if page.is_none() {
                break;
            }
        }
        let oldest = self.newest - 2 * late;
        self.told.retain(|_, at| *at >= oldest);
        Ok(entries)
    }
}
