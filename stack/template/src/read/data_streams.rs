//! `AWS::Kinesis::Stream`.

use std::time::Duration;

use super::section::Section;
use crate::blueprint::DataStream;

/// The shards of an on-demand stream. Source: Kinesis Data Streams developer guide, quotas.
const ON_DEMAND_SHARDS: u32 = 4;

pub(crate) fn read(stream: &Section<'_>, name: String) -> DataStream {
    stream.only(
        &["Name", "ShardCount", "RetentionPeriodHours", "StreamModeDetails"],
        &["StreamEncryption", "DesiredShardLevelMetrics", "MaxRecordSizeInKiB", "Tags"],
    );
    let mode = stream.within("StreamModeDetails").one_of("StreamMode", &["PROVISIONED", "ON_DEMAND"]);
    let on_demand = mode.as_deref() == Some("ON_DEMAND") || (mode.is_none() && !stream.has("ShardCount"));
    if on_demand && stream.has("ShardCount") {
        stream.complain("ShardCount", "an on-demand stream has none");
    }
    let shards = stream.number("ShardCount", 1..=100_000).unwrap_or(ON_DEMAND_SHARDS);
    // Source: Kinesis API reference, IncreaseStreamRetentionPeriod.
    let hours: u64 = stream.number("RetentionPeriodHours", 24..=8_760).unwrap_or(24);
    DataStream { name, shards, retention: Duration::from_secs(hours * 60 * 60) }
}
