//! Reads the ledgers that extensions write on standard output. CloudWatch Logs delivers them
//! seconds to a minute late, in any order.

use std::collections::HashMap;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use faults::Entry;
use tokio::time::Instant;

use crate::call::{CallError, Meaning};
use crate::secret::Variables;

/// Matches lines with both words: a JSON log contains the ledger's line unchanged, within another
/// object, or as a string. Other lines that match are filtered out here. Syntax: CloudWatch Logs,
/// filter patterns for terms.
const PATTERN: &str = "brownout entry";

/// How long after newer lines a line may arrive: every look reads this far back again.
const LATE: Duration = Duration::from_secs(90);

/// The ledger of one function.
#[derive(Debug)]
pub struct Ledger {
    client: aws_sdk_cloudwatchlogs::Client,
    group: String,
    /// Lines count from this time on, in milliseconds since 1970.
    from: i64,
    /// The newest line of all looks that read every page.
    newest: i64,
    /// Lines that were already returned, with their time: they are read again.
    told: HashMap<String, i64>,
    /// A look that failed at a page; the next look continues there.
    interrupted: Option<Sweep>,
    /// When the last complete look began.
    read_at: Instant,
}

/// The position in the pages from a time on.
#[derive(Debug)]
struct Sweep {
    since: i64,
    newest: i64,
    page: Option<String>,
    begun: Instant,
}

/// The result of a look.
#[derive(Debug)]
pub struct Look {
    /// The entries that came since the last look.
    pub entries: Vec<Entry>,
    /// Why it is incomplete; the next look continues where this one ended.
    pub failed: Option<CallError>,
}

impl Ledger {
    /// The ledger in a log group, from `from` on, in milliseconds since 1970.
    pub fn new(config: &SdkConfig, group: &str, from: i64) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).build();
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(config).retry_config(RetryConfig::standard()).timeout_config(timeouts);
        let client = aws_sdk_cloudwatchlogs::Client::from_conf(config.build());
        let (told, read_at) = (HashMap::new(), Instant::now());
        Self { client, group: group.to_owned(), from, newest: from, told, interrupted: None, read_at }
    }

    /// When the last complete look began.
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Looks for entries. A group that does not exist yet has no entries.
    pub async fn look(&mut self) -> Look {
        let late = i64::try_from(LATE.as_millis()).unwrap_or(i64::MAX);
        let since = (self.newest - late).max(self.from);
        let begin = || Sweep { since, newest: self.newest, page: None, begun: Instant::now() };
        let (mut sweep, mut entries) = (self.interrupted.take().unwrap_or_else(begin), Vec::new());
        loop {
            let call = self.client.filter_log_events().log_group_name(&self.group).filter_pattern(PATTERN).start_time(sweep.since);
            let read = match call.set_next_token(sweep.page.clone()).send().await {
                Ok(read) => read,
                Err(error) => match CallError::read("FilterLogEvents", &self.group, &error, &Variables::default()) {
                    missing if missing.meaning == Meaning::Missing => break,
                    error => {
                        // If the service no longer accepts the token, all pages are read again.
                        self.interrupted = (error.meaning == Meaning::Again).then_some(sweep);
                        return Look { entries, failed: Some(error) };
                    }
                },
            };
            for event in read.events() {
                let (Some(id), Some(line), Some(at)) = (event.event_id(), event.message(), event.timestamp()) else { continue };
                sweep.newest = sweep.newest.max(at);
                if self.told.insert(id.to_owned(), at).is_none() {
                    entries.extend(entry(line.trim_end()));
                }
            }
            sweep.page = read.next_token().map(str::to_owned);
            if sweep.page.is_none() {
                break;
            }
        }
        (self.newest, self.read_at) = (sweep.newest, sweep.begun);
        let oldest = self.newest - 2 * late;
        self.told.retain(|_, at| *at >= oldest);
        Look { entries, failed: None }
    }
}

/// The entry in a line, in any log format.
fn entry(line: &str) -> Option<Entry> {
    let plain = Entry::from_line(line);
    if plain.is_some() || !line.starts_with('{') {
        return plain;
    }
    let mut value: serde_json::Value = serde_json::from_str(line).ok()?;
    match value.get_mut("message").map(serde_json::Value::take) {
        Some(serde_json::Value::String(text)) => Entry::from_line(text.trim_end()),
        Some(message) if message.get("brownout").is_some() => Entry::from_value(message),
        _ => Entry::from_value(value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_is_read_in_every_log_format() {
        let written = Entry::Note { place: "orders".into(), what: "said \"so\"".into() };
        let line = written.to_line();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let (time, level) = ("2026-01-01T00:00:00Z", "INFO");
        for shown in [
            line.clone(),
            json!({"timestamp": time, "level": level, "message": line}).to_string(),
            json!({"timestamp": time, "level": level, "message": value}).to_string(),
            json!({"timestamp": time, "level": level, "brownout": value["brownout"]}).to_string(),
        ] {
            assert_eq!(entry(shown.trim_end()), Some(written.clone()), "{shown}");
        }
        for other in ["START brownout entry", "{\"message\":\"brownout entry\"}", "{\"brownout\":{\"entry\":7}}", "{brownout entry"] {
            assert_eq!(entry(other), None, "{other}");
        }
    }
}
