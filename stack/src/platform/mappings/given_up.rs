//! The notice about records that a stream's mapping gave up, in Lambda's form. Pure except for the
//! notice's time. Source: Lambda, "Retain discarded batch records" for DynamoDB and for Kinesis.
//! Only a bucket's notice contains the records; others say where they are in the stream.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::polled::{Origin, Record};
use crate::platform::names;

/// The last failure of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of the last invocation.
    pub request_id: String,
    /// Whether the function failed as a whole; otherwise it reported the records that it could not
    /// process.
    pub of_function: bool,
}

/// Why records are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// They failed too often.
    Retries,
    /// They are too old.
    Age,
}

/// What is told about records that were given up.
pub(super) struct Notice<'a> {
    /// The function's ARN.
    pub function: &'a str,
    /// Where the records are.
    pub origin: &'a Origin,
    /// Why.
    pub condition: Condition,
    /// The last failure, if they were tried.
    pub failure: Option<&'a Failure>,
    /// The records.
    pub records: &'a [Record],
    /// How often they were tried.
    pub invocations: u32,
}

impl Notice<'_> {
    /// The message; with `payload`, the whole event, for a bucket.
    pub(super) fn text(&self, payload: Option<String>) -> String {
        let (first, last) = (self.records.first(), self.records.last());
        let condition = match self.condition {
            Condition::Retries => "RetryAttemptsExhausted",
            Condition::Age => "RecordAgeExceeded",
        };
        let info = if self.origin.of_table { "DDBStreamBatchInfo" } else { "KinesisBatchInfo" };
        let mut notice = json!({
            "requestContext": {
                "requestId": self.failure.map_or_else(names::uuid, |failure| failure.request_id.clone()),
                "functionArn": self.function,
                "condition": condition,
                "approximateInvokeCount": self.invocations,
            },
            "version": "1.0",
            "timestamp": dates::milliseconds(SystemTime::now()),
            info: {
                "shardId": self.origin.shard,
                "startSequenceNumber": first.map(|record| &record.id),
                "endSequenceNumber": last.map(|record| &record.id),
                "approximateArrivalOfFirstRecord": first.map(|record| self.arrival(record)),
                "approximateArrivalOfLastRecord": last.map(|record| self.arrival(record)),
                "batchSize": self.records.len(),
                "streamArn": self.origin.arn,
            },
        });
        let response = self.failure.map(|failure| {
            let unhandled = json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
            if failure.of_function { unhandled } else { json!({ "statusCode": 200, "executedVersion": "$LATEST" }) }
        });
        if let Some(notice) = notice.as_object_mut() {
            notice.extend(response.map(|response| ("responseContext".to_owned(), response)));
            notice.extend(payload.map(|payload| ("payload".to_owned(), json!(payload))));
        }
        notice.to_string()
    }

    /// A table's stream tells the second, Kinesis the millisecond.
    fn arrival(&self, record: &Record) -> String {
        if self.origin.of_table { dates::seconds(record.written) } else { dates::milliseconds(record.written) }
    }
}

/// Where a bucket keeps a notice:
/// `aws/lambda/<id of the mapping>/<shard>/2026/01/31/2026-01-31T23.59.59-<random UUID>`.
pub(super) fn key(mapping: &str, shard: &str, now: SystemTime) -> String {
    let (day, second) = (dates::day_folder(now), dates::seconds(now).trim_end_matches('Z').replace(':', "."));
    format!("aws/lambda/{mapping}/{shard}/{day}/{second}-{}", names::uuid())
}

/// The keys of the items that the records are about, or their partition keys.
pub(super) fn keys(records: &[Record]) -> Vec<String> {
    let key = |record: &Record| {
        let Some(keys) = record.value.pointer("/dynamodb/Keys") else { return Some(record.key.clone()) };
        let typed = keys.as_object()?.values().next()?.as_object()?.values().next()?.clone();
        Some(match typed {
            Value::String(text) => text,
            other => other.to_string(),
        })
    };
    records.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn record(sequence: u64, at: f64) -> Record {
        let value = json!({ "dynamodb": { "Keys": { "sub": { "S": format!("user-{sequence}") } } } });
        let written = UNIX_EPOCH + Duration::from_secs_f64(at);
        Record { sequence, id: format!("{sequence:021}"), key: sequence.to_string(), written, value, filtered: None }
    }

    const STREAM: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000";

    fn origin(of_table: bool) -> Origin {
        Origin { of_table, name: "T".into(), arn: STREAM.into(), shard: "shardId-1".into() }
    }

    #[test]
    fn the_notice_says_where_in_the_stream_the_records_are() {
        let records = [record(3, 1_573_690_399.0), record(4, 1_573_690_400.5)];
        let failure = Failure { request_id: "r".into(), of_function: true };
        let origin = origin(true);
        let notice = Notice {
            function: "arn:f",
            origin: &origin,
            condition: Condition::Retries,
            failure: Some(&failure),
            records: &records,
            invocations: 4,
        };
        let mut notice: Value = serde_json::from_str(&notice.text(None)).unwrap();
        let timestamp = notice["timestamp"].take();
        assert!(timestamp.as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{timestamp}");
        let expected = json!({
            "requestContext": { "requestId": "r", "functionArn": "arn:f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4 },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": null,
            "DDBStreamBatchInfo": {
                "shardId": "shardId-1",
                "startSequenceNumber": "000000000000000000003",
                "endSequenceNumber": "000000000000000000004",
                "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
                "approximateArrivalOfLastRecord": "2019-11-14T00:13:20Z",
                "batchSize": 2,
                "streamArn": STREAM,
            },
        });
        assert_eq!(notice, expected);
        assert_eq!(keys(&records), ["user-3", "user-4"]);
    }

    #[test]
    fn records_that_were_too_old_to_be_tried_have_no_response() {
        let (records, origin) = ([record(3, 1_573_690_399.25)], origin(false));
        let notice =
            Notice { function: "arn:f", origin: &origin, condition: Condition::Age, failure: None, records: &records, invocations: 0 };
        let notice: Value = serde_json::from_str(&notice.text(Some("{}".into()))).unwrap();
        assert_eq!((&notice["requestContext"]["condition"], &notice["payload"]), (&json!("RecordAgeExceeded"), &json!("{}")));
        assert_eq!(notice.get("responseContext"), None);
        assert_eq!(notice["KinesisBatchInfo"]["approximateArrivalOfFirstRecord"], "2019-11-14T00:13:19.250Z");
        let key = key("m", "shardId-1", UNIX_EPOCH);
        assert!(key.starts_with("aws/lambda/m/shardId-1/1970/01/01/1970-01-01T00.00.00-"), "{key}");
    }
}
