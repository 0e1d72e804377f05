//! Records that are put into a stream, checked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{DataStream, hash_key};
use crate::services::wire::{Refused, parsed};

/// The most bytes of a record, and of all records of a call. Source: Amazon Kinesis Data Streams,
/// quotas: a stream takes larger records only where that was configured.
const LARGEST: usize = 1024 * 1024;
const LARGEST_CALL: usize = 5 * 1024 * 1024;

/// The most records of a call, and letters of a partition key. Source: Kinesis API reference,
/// PutRecords and PutRecordsRequestEntry.
const MOST: usize = 500;
const LONGEST_KEY: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    partition_key: String,
    data: String,
    explicit_hash_key: Option<String>,
}

impl Asked {
    /// Its hash key and its size.
    fn checked(&self) -> Result<(u128, usize), Refused> {
        if !(1..=LONGEST_KEY).contains(&self.partition_key.chars().count()) {
            return Err(Refused::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{}' at 'partitionKey' failed to satisfy constraint: Member must have length \
                     between 1 and {LONGEST_KEY}",
                    self.partition_key
                ),
            ));
        }
        let data = STANDARD.decode(&self.data).map_err(|why| Refused::new("SerializationException", why.to_string()))?;
        let size = data.len() + self.partition_key.len();
        if size > LARGEST {
            return Err(Refused::new(
                "ValidationException",
                format!(
                    "1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or \
                     equal to {LARGEST}"
                ),
            ));
        }
        let invalid =
            || Refused::new("InvalidArgumentException", "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1].");
        let hash = match &self.explicit_hash_key {
            Some(hash) => hash.parse().map_err(|_| invalid())?,
            None => hash_key(&self.partition_key),
        };
        Ok((hash, size))
    }

    fn put(&self, stream: &DataStream, hash: u128) -> Result<Value, Refused> {
        let (shard, number) =
            stream.put(&self.partition_key, hash, &self.data).ok_or_else(|| Refused::new("InternalFailure", "the stream has no shard"))?;
        Ok(json!({"ShardId": shard, "SequenceNumber": number}))
    }
}

/// `PutRecord`.
pub(super) fn put(stream: &DataStream, body: &Value) -> Result<Value, Refused> {
    let asked: Asked = parsed(body)?;
    let (hash, _) = asked.checked()?;
    asked.put(stream, hash)
}

/// `PutRecords`: here none fails on its own.
pub(super) fn put_all(stream: &DataStream, body: &Value) -> Result<Value, Refused> {
    let all: Vec<Asked> = parsed(body.get("Records").unwrap_or(&Value::Null))?;
    if !(1..=MOST).contains(&all.len()) {
        return Err(Refused::new(
            "ValidationException",
            format!(
                "1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length between 1 and {MOST}"
            ),
        ));
    }
    let checked = all.iter().map(Asked::checked).collect::<Result<Vec<_>, _>>()?;
    if checked.iter().map(|(_, size)| size).sum::<usize>() > LARGEST_CALL {
        return Err(Refused::new("InvalidArgumentException", format!("Records size exceeds {LARGEST_CALL} bytes")));
    }
    let put = all.iter().zip(checked).map(|(asked, (hash, _))| asked.put(stream, hash)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"FailedRecordCount": 0, "Records": put}))
}
