//! Streams of Kinesis.

use std::time::Duration;

/// A data stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataStream {
    /// `Name`.
    pub name: String,
    /// `ShardCount`; an on-demand stream has 4. Source: Kinesis Data Streams, quotas.
    pub shards: u32,
    /// `RetentionPeriodHours`.
    pub retention: Duration,
}
