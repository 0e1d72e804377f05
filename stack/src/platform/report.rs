//! Lambda's own lines in a function's log, as text and as JSON. Pure except for the time. Source:
//! Lambda, "Viewing CloudWatch logs for Lambda functions" and "Lambda Telemetry API Event schema
//! reference".

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use template::blueprint::LogFormat;

use super::invocation::Failure;
use super::lines::Outcome;

/// What is told at the end of an invocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    pub request_id: &'a str,
    pub duration: Duration,
    /// How long the environment took to start, at its first invocation.
    pub init: Option<Duration>,
    pub memory_mb: u32,
    pub peak_mb: u64,
    pub outcome: Outcome<'a>,
}

/// The line at the begin.
pub(super) fn start(format: LogFormat, request_id: &str, version: &str) -> String {
    match format {
        LogFormat::Text => format!("START RequestId: {request_id} Version: {version}\n"),
        LogFormat::Json => event("platform.start", &json!({ "requestId": request_id, "version": version })),
    }
}

fn event(kind: &str, record: &Value) -> String {
    format!("{}\n", json!({ "time": dates::milliseconds(SystemTime::now()), "type": kind, "record": record }))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

impl Report<'_> {
    /// The lines at the end: what failed, and the report.
    pub(super) fn text(&self, format: LogFormat) -> String {
        match format {
            LogFormat::Text => format!("{}END RequestId: {}\n{}", self.failure(), self.request_id, self.report()),
            LogFormat::Json => self.as_json(),
        }
    }

    /// Lambda bills whole milliseconds, the start included. Source: Lambda pricing since August 2025.
    fn billed(&self) -> u128 {
        (self.duration + self.init.unwrap_or_default()).as_micros().div_ceil(1000)
    }

    fn failure(&self) -> String {
        match self.outcome {
            Outcome::Answered { .. } => String::new(),
            Outcome::Failed(Failure::TimedOut(limit)) => {
                let (at, seconds) = (dates::milliseconds(SystemTime::now()), limit.as_secs_f64());
                format!("{at} {} Task timed out after {seconds:.2} seconds\n\n", self.request_id)
            }
            // The runtime has printed it.
            Outcome::Failed(Failure::Init(_)) => String::new(),
            Outcome::Failed(failure) => {
                let (kind, message) = failure.described(self.request_id);
                format!("{message}\n{kind}\n")
            }
        }
    }

    fn status(&self) -> (&'static str, Option<String>) {
        match self.outcome {
            Outcome::Answered { failed: false } => ("success", None),
            Outcome::Answered { failed: true } => ("error", None),
            Outcome::Failed(Failure::TimedOut(_)) => ("timeout", None),
            Outcome::Failed(failure) => ("error", Some(failure.described(self.request_id).0)),
        }
    }

    fn report(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            milliseconds(self.duration),
            self.billed(),
            self.memory_mb,
            self.peak_mb,
        );
        if let Some(init) = self.init {
            line.push_str(&format!("Init Duration: {:.2} ms\t", milliseconds(init)));
        }
        if let Outcome::Failed(_) = self.outcome {
            let (status, kind) = self.status();
            line.push_str(&format!("Status: {status}"));
            kind.into_iter().for_each(|kind| line.push_str(&format!("\tError Type: {kind}")));
        }
        line.push('\n');
        line
    }

    fn as_json(&self) -> String {
        let mut metrics = json!({
            "durationMs": milliseconds(self.duration), "billedDurationMs": u64::try_from(self.billed()).unwrap_or(u64::MAX),
            "memorySizeMB": self.memory_mb, "maxMemoryUsedMB": self.peak_mb,
        });
        if let (Some(init), Some(metrics)) = (self.init, metrics.as_object_mut()) {
            metrics.insert("initDurationMs".to_owned(), json!(milliseconds(init)));
        }
        let (status, kind) = self.status();
        let mut record = json!({ "requestId": self.request_id, "metrics": metrics, "status": status });
        if let (Some(kind), Some(record)) = (kind, record.as_object_mut()) {
            record.insert("errorType".to_owned(), kind.into());
        }
        event("platform.report", &record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: Outcome<'_>) -> Report<'_> {
        Report {
            request_id: "r",
            duration: Duration::from_micros(12_340),
            init: Some(Duration::from_micros(100_900)),
            memory_mb: 128,
            peak_mb: 40,
            outcome,
        }
    }

    #[test]
    fn the_lines_are_lambdas() {
        let line = "END RequestId: r\nREPORT RequestId: r\tDuration: 12.34 ms\tBilled Duration: 114 ms\tMemory Size: 128 MB\tMax Memory \
                    Used: 40 MB\tInit Duration: 100.90 ms\t";
        assert_eq!(report(Outcome::Answered { failed: true }).text(LogFormat::Text), format!("{line}\n"));
        let exit = Failure::RuntimeExit("Runtime exited with error: exit status 1".into());
        let expected = format!(
            "RequestId: r Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n{line}Status: error\tError Type: \
             Runtime.ExitError\n"
        );
        assert_eq!(report(Outcome::Failed(&exit)).text(LogFormat::Text), expected);
        let late = report(Outcome::Failed(&Failure::TimedOut(Duration::from_secs(3)))).text(LogFormat::Text);
        assert!(late.ends_with(&format!(" r Task timed out after 3.00 seconds\n\n{line}Status: timeout\n")), "{late}");
        assert_eq!(start(LogFormat::Text, "r", "1"), "START RequestId: r Version: 1\n");
    }

    #[test]
    fn the_lines_are_json_where_the_function_asks_for_it() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let begin = read(&start(LogFormat::Json, "r", "$LATEST"));
        assert_eq!((&begin["type"], &begin["record"]), (&json!("platform.start"), &json!({ "requestId": "r", "version": "$LATEST" })));
        let end = read(&report(Outcome::Failed(&Failure::TimedOut(Duration::from_secs(3)))).text(LogFormat::Json));
        let metrics = json!({
            "durationMs": 12.34, "billedDurationMs": 114, "memorySizeMB": 128, "maxMemoryUsedMB": 40, "initDurationMs": 100.9,
        });
        assert_eq!(end["record"], json!({ "requestId": "r", "metrics": metrics, "status": "timeout" }));
        assert_eq!((&end["type"], end["time"].as_str().unwrap().len()), (&json!("platform.report"), 24));
    }
}
