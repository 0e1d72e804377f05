//! The data streams on the page, with their records.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Kinesis;
use crate::services::shard::{Record, Shard};
use crate::services::shows::{Part, Rows, Shows, Thing};

impl Shows for Kinesis {
    fn things(&self) -> Vec<Thing> {
        let stream = |stream: &std::sync::Arc<super::DataStream>| {
            let note = format!("{} shards", stream.count());
            let count = stream.shards.iter().map(Shard::count).sum();
            Thing { note, ..Thing::new("data stream", stream.name.clone(), count) }
        };
        self.streams.values().map(stream).collect()
    }

    fn rows(&self, stream: &str, part: Part) -> Option<Rows> {
        let stream = self.streams.get(stream)?;
        let mut records: Vec<(usize, Record)> = Vec::new();
        for (number, shard) in stream.shards.iter().enumerate() {
            records.extend(shard.read(0, usize::MAX).into_iter().map(|record| (number, record)));
        }
        records.sort_by_key(|(_, record)| std::cmp::Reverse(record.written));
        Some(Rows::of(["At", "Shard", "Partition key", "Data"], records.into_iter(), part, |(shard, record)| {
            let data = record.value.get("data").and_then(Value::as_str).unwrap_or_default();
            let text = STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| data.to_owned());
            [dates::milliseconds(record.written).into(), shard.to_string().into(), record.key.into(), text.into()]
        }))
    }
}
