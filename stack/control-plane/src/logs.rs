//! CloudWatch Logs, as far as ledgers need it: lines by log group, read by `FilterLogEvents`.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::log_line::LogLine;
use crate::state::ControlPlane;

/// The most lines of one page; AWS's limit is 10,000 lines or 1 MB.
const PAGE: usize = 100;

impl ControlPlane {
    /// Adds a line to a log group, which exists from then on.
    pub fn log(&mut self, group: &str, line: LogLine) {
        self.logs.entry(group.to_owned()).or_default().push(line);
    }

    /// Adds a line that a function's extension has printed, in the function's log group and format.
    /// AWS does not document how a JSON log shows a line of JSON, so it is written as a string and
    /// as part of another object in turn.
    pub fn print(&mut self, function: &str, line: LogLine) {
        let Some(logging) = self.functions.get(function).and_then(|function| function.latest.others.get("LoggingConfig")) else { return };
        let group = logging["LogGroup"].as_str().unwrap_or_default().to_owned();
        let written: Option<Value> = serde_json::from_str(&line.text).ok().filter(|_| logging["LogFormat"] == "JSON");
        let is_odd = self.logs.get(&group).is_some_and(|lines| lines.len() % 2 == 1);
        let text = match written {
            None => line.text,
            Some(_) if is_odd => json!({"timestamp": "t", "level": "INFO", "message": line.text}).to_string(),
            Some(value) => json!({"timestamp": "t", "level": "INFO", "message": value}).to_string(),
        };
        self.log(&group, LogLine { text, ..line });
    }

    /// One call of CloudWatch Logs.
    pub(crate) fn cloudwatch_logs(&mut self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        if operation != "FilterLogEvents" {
            return Err(Answer::refused(400, "UnknownOperationException", format!("`{operation}` is not served here")));
        }
        let group = wish["logGroupName"].as_str().unwrap_or_default();
        let invalid = |what: &'static str| Answer::refused(400, "InvalidParameterException", what);
        let from = wish["startTime"].as_u64().unwrap_or_default();
        let start = match wish["nextToken"].as_str() {
            None => 0,
            // A token is valid only for the request that it came from.
            Some(token) => token.strip_prefix(&format!("{from}-")).and_then(|start| start.parse().ok()).ok_or_else(|| invalid("token"))?,
        };
        if start > 0 && self.failing_pages > 0 {
            self.failing_pages -= 1;
            return Err(Answer::refused(400, "ThrottlingException", "Rate exceeded"));
        }
        let missing = || Answer::refused(400, "ResourceNotFoundException", "The specified log group does not exist.");
        let lines = self.logs.get(group).ok_or_else(missing)?;
        let terms: Vec<_> = wish["filterPattern"].as_str().unwrap_or_default().split_whitespace().collect();
        if !terms.iter().all(|term| term.chars().all(char::is_alphanumeric)) {
            return Err(invalid("only terms are understood here"));
        }
        let is_wanted = |line: &LogLine| line.at_ms >= from && terms.iter().all(|term| line.text.contains(term));
        let wanted: Vec<_> = lines.iter().enumerate().filter(|(_, line)| is_wanted(line)).collect();
        let page = wanted.iter().skip(start).take(PAGE);
        let events: Vec<_> = page
            .map(|(number, line)| {
                json!({"eventId": number.to_string(), "timestamp": line.at_ms, "ingestionTime": line.at_ms, "message": line.text, "logStreamName": "s"})
            })
            .collect();
        let end = start + events.len();
        let next = (end < wanted.len()).then(|| format!("{from}-{end}"));
        Ok(Answer::ok(200, json!({"events": events, "nextToken": next, "searchedLogStreams": []})))
    }
}
