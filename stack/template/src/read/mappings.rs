//! `AWS::Lambda::EventSourceMapping`: queues and streams that invoke a function.

use std::time::Duration;

use serde_json::Value;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Beginning, Mapping, RecordLimits, Source};

/// The most messages and records in a batch. Source: Lambda API reference,
/// CreateEventSourceMapping.
const LARGEST_BATCH: u32 = 10_000;

/// A FIFO queue's batches are smaller. Source: the same.
const LARGEST_FIFO_BATCH: u32 = 10;

/// The properties of every mapping.
const ALL: [&str; 7] =
    ["EventSourceArn", "FunctionName", "BatchSize", "MaximumBatchingWindowInSeconds", "FilterCriteria", "FunctionResponseTypes", "Enabled"];

/// Properties that only streams have.
const OF_STREAMS: [&str; 6] = [
    "StartingPosition",
    "ParallelizationFactor",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "DestinationConfig",
];

/// Reads a mapping; `None` if it is disabled, or its source is not served, which is a notice.
pub(crate) fn read(mapping: &Section<'_>) -> Option<Mapping> {
    let without_effect = ["Tags", "KmsKeyArn", "MetricsConfig"];
    mapping.needed("FunctionName");
    let function = mapping.function("FunctionName");
    let Some(arn) = mapping.text("EventSourceArn") else {
        mapping.notice("", "events of Kafka outside AWS are not served here");
        return None;
    };
    let (source, batch, largest) = match mapping.known.arns.target(&arn) {
        Some((Kind::Queue, name)) => {
            mapping.only(&[&["ScalingConfig"][..], &ALL[..]].concat(), &without_effect);
            let scaling = mapping.within("ScalingConfig");
            scaling.only(&["MaximumConcurrency"], &[]);
            let largest = if name.ends_with(".fifo") { LARGEST_FIFO_BATCH } else { LARGEST_BATCH };
            (Source::Queue { name, max_concurrency: scaling.number("MaximumConcurrency", 2..=1000) }, 10, largest)
        }
        Some((Kind::Stream, table)) => {
            mapping.only(&[&ALL[..], &OF_STREAMS[..]].concat(), &without_effect);
            (Source::Stream { table, records: records(mapping)? }, 100, LARGEST_BATCH)
        }
        Some((Kind::DataStream, name)) => {
            mapping.only(&[&ALL[..], &OF_STREAMS[..]].concat(), &without_effect);
            (Source::DataStream { name, records: records(mapping)? }, 100, LARGEST_BATCH)
        }
        _ => {
            mapping.notice("EventSourceArn", format!("found `{arn}`, which is no queue or stream of the template"));
            return None;
        }
    };
    let read = Mapping {
        function: function?,
        source,
        batch: mapping.number("BatchSize", 1..=largest).unwrap_or(batch),
        window: mapping.seconds("MaximumBatchingWindowInSeconds", 0..=300).unwrap_or(Duration::ZERO),
        filters: filters(mapping),
        partial: partial(mapping),
    };
    (mapping.switch("Enabled") != Some(false)).then_some(read)
}

/// Bounds: Lambda API reference, CreateEventSourceMapping.
fn records(mapping: &Section<'_>) -> Option<RecordLimits> {
    mapping.needed("StartingPosition");
    let beginning = match mapping.text("StartingPosition").as_deref() {
        Some("TRIM_HORIZON") => Beginning::Oldest,
        Some("LATEST") => Beginning::Latest,
        Some("AT_TIMESTAMP") => {
            mapping.notice("StartingPosition", "`AT_TIMESTAMP` is not served here: the mapping is missing");
            return None;
        }
        other => {
            let found = other.unwrap_or_default();
            mapping.complain("StartingPosition", format!("found `{found}`, there are: TRIM_HORIZON, LATEST, AT_TIMESTAMP"));
            return None;
        }
    };
    // -1 is without a limit, and so is a missing value.
    let limit = |key: &str, largest: i64| mapping.number(key, -1..=largest).and_then(|number| u32::try_from(number).ok());
    let destination = mapping.within("DestinationConfig");
    destination.only(&["OnFailure"], &[]);
    let failure = destination.within("OnFailure");
    let oldest = limit("MaximumRecordAgeInSeconds", 604_800);
    if oldest.is_some_and(|seconds| seconds < 60) {
        mapping.complain("MaximumRecordAgeInSeconds", "expected -1, or a number from 60 to 604800");
    }
    Some(RecordLimits {
        beginning,
        bisect: mapping.flag("BisectBatchOnFunctionError"),
        retries: limit("MaximumRetryAttempts", 10_000),
        oldest: oldest.map(|seconds| Duration::from_secs(seconds.into())),
        parallel: mapping.number("ParallelizationFactor", 1..=10).unwrap_or(1),
        on_failure: failure.target("Destination", &[Kind::Queue, Kind::Topic, Kind::Bucket]),
    })
}

fn filters(mapping: &Section<'_>) -> Vec<Value> {
    let criteria = mapping.within("FilterCriteria");
    criteria.only(&["Filters"], &[]);
    let patterns = criteria.each("Filters").into_iter().filter_map(|filter| {
        filter.only(&["Pattern"], &[]);
        match serde_json::from_str::<Value>(&filter.needed("Pattern")) {
            Ok(pattern) if pattern.is_object() => Some(pattern),
            _ => {
                filter.complain("Pattern", "expected the text of a JSON object");
                None
            }
        }
    });
    patterns.collect()
}

fn partial(mapping: &Section<'_>) -> bool {
    let types = mapping.texts("FunctionResponseTypes");
    if let Some(other) = types.iter().find(|name| *name != "ReportBatchItemFailures") {
        mapping.complain("FunctionResponseTypes", format!("found `{other}`, there is: ReportBatchItemFailures"));
    }
    !types.is_empty()
}
