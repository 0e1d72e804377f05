//! The queues and streams in a function's events, and how they invoke it; and the functions that a
//! user pool invokes.

use std::time::Duration;

use serde_json::Value;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Mapping, RecordLimits, Source, Target};

/// The most messages and records in a batch. Source: Lambda API reference,
/// CreateEventSourceMapping.
const LARGEST_BATCH: u32 = 10_000;

/// The fields that both kinds of events have.
const BOTH: [&str; 5] = ["BatchSize", "MaximumBatchingWindowInSeconds", "FilterCriteria", "FunctionResponseTypes", "Enabled"];

/// The mappings of a function's events; events of other types are read elsewhere.
pub(crate) fn read(function: &Section<'_>, name: &str) -> Vec<Mapping> {
    let events = function.within("Events").children().into_iter();
    let mappings = events.filter_map(|(_, event)| {
        let properties = event.within("Properties");
        match event.text("Type").as_deref() {
            Some("SQS") => mapping(&properties, name, 10, queue(&properties)?),
            Some("DynamoDB") => mapping(&properties, name, 100, stream(&properties)?),
            _ => None,
        }
    });
    mappings.collect()
}

/// `None` if the mapping is disabled.
fn mapping(event: &Section<'_>, function: &str, batch: u32, source: Source) -> Option<Mapping> {
    let mapping = Mapping {
        function: function.to_owned(),
        source,
        batch: event.number("BatchSize", 1..=LARGEST_BATCH).unwrap_or(batch),
        window: event.seconds("MaximumBatchingWindowInSeconds", 0..=300).unwrap_or(Duration::ZERO),
        filters: filters(event),
        partial: partial(event),
    };
    let off = event.has("Enabled") && !event.flag("Enabled");
    (!off).then_some(mapping)
}

fn queue(event: &Section<'_>) -> Option<Source> {
    event.only(&[&["Queue", "ScalingConfig"][..], &BOTH[..]].concat(), &[]);
    event.needed("Queue");
    let scaling = event.within("ScalingConfig");
    scaling.only(&["MaximumConcurrency"], &[]);
    Some(Source::Queue { name: event.resource(Kind::Queue, "Queue")?, max_concurrency: scaling.number("MaximumConcurrency", 2..=1000) })
}

fn stream(event: &Section<'_>) -> Option<Source> {
    let own =
        ["Stream", "StartingPosition", "ParallelizationFactor", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "DestinationConfig"];
    event.only(&[&own[..], &BOTH[..]].concat(), &[]);
    event.needed("Stream");
    event.needed("StartingPosition");
    event.served("StartingPosition", &["TRIM_HORIZON"]);
    event.served("ParallelizationFactor", &["1"]);
    // -1 retries without limit, and so does a missing value.
    let retries = event.number("MaximumRetryAttempts", -1..=10_000_i64).and_then(|number| u32::try_from(number).ok());
    Some(Source::Stream {
        table: event.resource(Kind::Stream, "Stream")?,
        records: RecordLimits {
            bisect: event.flag("BisectBatchOnFunctionError"),
            retries,
            on_failure: on_failure(&event.within("DestinationConfig")).map(Target::Queue),
            ..RecordLimits::default()
        },
    })
}

fn on_failure(destination: &Section<'_>) -> Option<String> {
    destination.only(&["OnFailure"], &[]);
    let failure = destination.within("OnFailure");
    failure.only(&["Type", "Destination"], &[]);
    failure.served("Type", &["SQS"]);
    failure.resource(Kind::Queue, "Destination")
}

fn filters(event: &Section<'_>) -> Vec<Value> {
    let criteria = event.within("FilterCriteria");
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

fn partial(event: &Section<'_>) -> bool {
    let types = event.texts("FunctionResponseTypes");
    if let Some(other) = types.iter().find(|name| *name != "ReportBatchItemFailures") {
        event.complain("FunctionResponseTypes", format!("found `{other}`, there is: ReportBatchItemFailures"));
    }
    !types.is_empty()
}
