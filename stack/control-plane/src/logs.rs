//! CloudWatch Logs, as far as ledgers need it: lines by log group, read by `FilterLogEvents`.

use serde_json::{Value, json};

use crate::{Answer, ControlPlane};

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What was written.
    pub text: String,
}

/// The most lines of one page; AWS has 10,000 or 1 MB.
const PAGE: usize = 100;

impl ControlPlane {
    /// Adds a line to a log group, which there is from then on.
    pub fn log(&mut self, group: &str, line: LogLine) {
        self.logs.entry(group.to_owned()).or_default().push(line);
    }

    /// One call of CloudWatch Logs.
    pub(crate) fn cloudwatch_logs(&self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        if operation != "FilterLogEvents" {
            return Err(Answer::refused(400, "UnknownOperationException", format!("`{operation}` is not served here")));
        }
        let group = wish["logGroupName"].as_str().unwrap_or_default();
        let missing = || Answer::refused(400, "ResourceNotFoundException", "The specified log group does not exist.");
        let lines = self.logs.get(group).ok_or_else(missing)?;
        if wish["filterPattern"] != r#"{ $.brownout.entry = "*" }"# {
            return Err(Answer::refused(400, "InvalidParameterException", "Invalid filter pattern"));
        }
        let from = wish["startTime"].as_u64().unwrap_or_default();
        let is_wanted = |line: &LogLine| line.at_ms >= from && line.text.starts_with(r#"{"brownout":{"entry":"#);
        let wanted: Vec<_> = lines.iter().enumerate().filter(|(_, line)| is_wanted(line)).collect();
        let start = wish["nextToken"].as_str().and_then(|token| token.parse::<usize>().ok()).unwrap_or_default();
        let page = wanted.iter().skip(start).take(PAGE);
        let events: Vec<_> = page
            .map(|(number, line)| {
                json!({"eventId": number.to_string(), "timestamp": line.at_ms, "ingestionTime": line.at_ms, "message": line.text, "logStreamName": "s"})
            })
            .collect();
        let end = start + events.len();
        let next = (end < wanted.len()).then(|| end.to_string());
        Ok(Answer::ok(200, json!({"events": events, "nextToken": next, "searchedLogStreams": []})))
    }
}
