//! The notice about records that a stream's mapping gave up, in Lambda's form. Pure except for the
//! notice's time. Source: Lambda, "Retain discarded batches for a DynamoDB event source". As at AWS
//! it does not contain the records; it says where they are in the stream.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::polled::Record;

/// The one shard of every stream here.
const SHARD: &str = "shardId-00000000000000000000-00000000";

/// The last failure of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Of the last invocation.
    pub request_id: String,
    /// Whether the function failed as a whole; otherwise it reported the records that it could not
    /// process.
    pub of_function: bool,
}

/// The message about records that were tried `invocations` times.
pub(super) fn notice(function: &str, failure: &Failure, records: &[Record], invocations: u32) -> String {
    let (first, last) = (records.first(), records.last());
    let number =
        |record: Option<&Record>| record.and_then(|record| Some(record.value.pointer("/dynamodb/SequenceNumber")?.as_str()?.to_owned()));
    let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
    if let Some(response) = response.as_object_mut().filter(|_| failure.of_function) {
        response.insert("functionError".to_owned(), json!("Unhandled"));
    }
    json!({
        "requestContext": {
            "requestId": failure.request_id,
            "functionArn": function,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": invocations,
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": dates::milliseconds(SystemTime::now()),
        "DDBStreamBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": number(first),
            "endSequenceNumber": number(last),
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": records.len(),
            "streamArn": first.and_then(|record| record.value.get("eventSourceARN")),
        },
    })
    .to_string()
}

fn arrival(record: Option<&Record>) -> Option<String> {
    let seconds = record?.value.pointer("/dynamodb/ApproximateCreationDateTime")?.as_f64()?;
    Some(dates::seconds(UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?))
}

/// The keys of the items that the records are about.
pub(super) fn keys(records: &[Record]) -> Vec<String> {
    let key = |record: &Record| {
        let typed = record.value.pointer("/dynamodb/Keys")?.as_object()?.values().next()?.as_object()?.values().next()?.clone();
        Some(match typed {
            Value::String(text) => text,
            other => other.to_string(),
        })
    };
    records.iter().filter_map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, at: f64) -> Record {
        let dynamodb = json!({
            "Keys": { "sub": { "S": format!("user-{sequence}") } },
            "SequenceNumber": format!("{sequence:021}"),
            "ApproximateCreationDateTime": at,
        });
        let stream = "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000";
        Record { sequence, value: json!({ "dynamodb": dynamodb, "eventSourceARN": stream }) }
    }

    #[test]
    fn the_notice_says_where_in_the_stream_the_records_are() {
        let records = [record(3, 1_573_690_399.0), record(4, 1_573_690_400.5)];
        let failure = Failure { request_id: "r".into(), of_function: true };
        let mut notice: Value = serde_json::from_str(&notice("arn:f", &failure, &records, 4)).unwrap();
        let timestamp = notice["timestamp"].take();
        assert!(timestamp.as_str().is_some_and(|at| at.len() == 24 && at.ends_with('Z')), "{timestamp}");
        let expected = json!({
            "requestContext": { "requestId": "r", "functionArn": "arn:f", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4 },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "version": "1.0",
            "timestamp": null,
            "DDBStreamBatchInfo": {
                "shardId": SHARD,
                "startSequenceNumber": "000000000000000000003",
                "endSequenceNumber": "000000000000000000004",
                "approximateArrivalOfFirstRecord": "2019-11-14T00:13:19Z",
                "approximateArrivalOfLastRecord": "2019-11-14T00:13:20Z",
                "batchSize": 2,
                "streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/T/stream/2026-01-01T00:00:00.000",
            },
        });
        assert_eq!(notice, expected);
        assert_eq!(keys(&records), ["user-3", "user-4"]);
    }
}
