//! Reading a shard by iterators.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{DataStream, sequence, shard_id};
use crate::services::shard::{NoIterator, iterator, read_iterator};
use crate::services::wire::{Refused, parsed};

/// How long an iterator is valid. Source: Kinesis API reference, GetShardIterator.
const VALID: Duration = Duration::from_secs(300);

/// The most records and bytes of one answer. Source: Kinesis API reference, GetRecords.
const MOST: usize = 10_000;
const LARGEST: usize = 10 * 1024 * 1024;

fn invalid(message: impl Into<String>) -> Refused {
    Refused::new("InvalidArgumentException", message)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    shard_id: String,
    shard_iterator_type: String,
    starting_sequence_number: Option<String>,
    timestamp: Option<f64>,
}

/// `GetShardIterator`.
pub(super) fn first(stream: &DataStream, body: &Value) -> Result<Value, Refused> {
    let asked: Asked = parsed(body)?;
    let number = (0..stream.count()).find(|number| shard_id(*number) == asked.shard_id).ok_or_else(|| {
        Refused::new("ResourceNotFoundException", format!("Shard {} in stream {} does not exist", asked.shard_id, stream.name))
    })?;
    let shard = stream.shard(number).ok_or_else(|| invalid("no such shard"))?;
    let given = || {
        let number = asked.starting_sequence_number.as_deref().and_then(sequence);
        number.ok_or_else(|| invalid("StartingSequenceNumber is missing or is no number of this stream"))
    };
    let from = match asked.shard_iterator_type.as_str() {
        "TRIM_HORIZON" => 0,
        "LATEST" => shard.next(),
        "AT_SEQUENCE_NUMBER" => given()?,
        "AFTER_SEQUENCE_NUMBER" => given()? + 1,
        "AT_TIMESTAMP" => {
            let seconds = asked.timestamp.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let time = seconds.and_then(|seconds| UNIX_EPOCH.checked_add(seconds));
            shard.since(time.ok_or_else(|| invalid("Timestamp is missing or is no time"))?)
        }
        other => return Err(Refused::new("ValidationException", format!("there is no ShardIteratorType `{other}`"))),
    };
    Ok(json!({"ShardIterator": iterator(&stream.name, number, from)}))
}

/// `GetRecords`.
pub(super) fn records(streams: &BTreeMap<String, Arc<DataStream>>, body: &Value) -> Result<Value, Refused> {
    let text = body.get("ShardIterator").and_then(Value::as_str).unwrap_or_default();
    let (name, number, from) = read_iterator(text, VALID).map_err(|why| match why {
        NoIterator::Invalid => invalid("Invalid ShardIterator."),
        NoIterator::Expired => {
            Refused::new("ExpiredIteratorException", "Iterator expired. The iterator was created more than 5 minutes ago.")
        }
    })?;
    let found = streams.get(&name).and_then(|stream| Some((stream, stream.shard(number)?)));
    let (stream, shard) = found.ok_or_else(|| invalid("Invalid ShardIterator."))?;
    let limit = body.get("Limit").and_then(Value::as_u64).map_or(MOST, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    if !(1..=MOST).contains(&limit) {
        return Err(Refused::new("ValidationException", format!("Limit must be between 1 and {MOST}")));
    }
    let (mut next, mut size, mut latest, mut records) = (from, 0, SystemTime::now(), Vec::new());
    for record in shard.read(from, limit) {
        let field = |name: &str| record.value.get(name).cloned().unwrap_or_default();
        size += field("data").as_str().map_or(0, |data| data.len() / 4 * 3);
        if !records.is_empty() && size > LARGEST {
            break;
        }
        next = record.sequence + 1;
        latest = record.written;
        records.push(json!({
            "SequenceNumber": field("sequenceNumber"),
            "ApproximateArrivalTimestamp": field("approximateArrivalTimestamp"),
            "Data": field("data"),
            "PartitionKey": field("partitionKey"),
        }));
    }
    let behind = if next < shard.next() { latest.elapsed().unwrap_or_default().as_millis() } else { 0 };
    let behind = u64::try_from(behind).unwrap_or(u64::MAX);
    Ok(json!({"Records": records, "NextShardIterator": iterator(&stream.name, number, next), "MillisBehindLatest": behind}))
}
