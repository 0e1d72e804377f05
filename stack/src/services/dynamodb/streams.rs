//! The streams of tables: one shard each, records in the order of the writes. Readers keep their
//! own position; reading removes nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest;
use serde_json::Value;
use tokio::sync::watch;

use super::images::Change;
use crate::platform::names::{ACCOUNT, REGION};

/// The most records that are kept; the oldest are dropped first. AWS drops them after 24 hours,
/// however many there are. This is far more than a run makes.
const KEPT: usize = 100_000;

/// The first record's number; all numbers have the same number of digits, so that they sort alike
/// as text.
const FIRST: u64 = 100_000_000_001;

/// The stream of one table.
#[derive(Debug)]
pub struct Stream {
    arn: String,
    records: Mutex<VecDeque<Kept>>,
    /// The number of the newest record.
    newest: watch::Sender<u64>,
}

/// A record with its JSON as text, which takes a third of the memory of a tree.
#[derive(Debug)]
struct Kept {
    sequence: u64,
    json: String,
    written: Instant,
}

/// A record of a stream.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its position in the shard; as text it is the `SequenceNumber`.
    pub sequence: u64,
    /// The record for Lambda.
    pub value: Value,
    /// When it was written.
    pub written: Instant,
}

impl Stream {
    /// An empty stream of the table `table`.
    pub fn new(table: &str) -> Self {
        let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/2024-01-01T00:00:00.000");
        Self { arn, records: Mutex::default(), newest: watch::Sender::new(FIRST - 1) }
    }

    /// Records with this number or a later one, oldest first. If older ones were dropped, it begins
    /// with the oldest that is left.
    pub fn read(&self, from: u64, most: usize) -> Vec<Record> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = records.front().map_or(FIRST, |record| record.sequence);
        let skipped = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let kept = records.iter().skip(skipped).take(most);
        kept.filter_map(|it| Some(Record { sequence: it.sequence, value: serde_json::from_str(&it.json).ok()?, written: it.written }))
            .collect()
    }

    /// Returns once there is a record with this number or a later one.
    pub async fn arrival(&self, from: u64) {
        // The sender lives as long as the stream does.
        let _ = self.newest.subscribe().wait_for(|newest| *newest >= from.max(FIRST)).await;
    }

    /// Appends a change and returns its event id.
    pub(super) fn push(&self, change: &Change<'_>) -> String {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let sequence = *self.newest.borrow() + 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let hash = digest::digest(&digest::SHA256, format!("{}/{sequence}/{now:?}", self.arn).as_bytes());
        let event: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let json = change.record(&self.arn, &event, sequence, now.as_secs()).to_string();
        records.push_back(Kept { sequence, json, written: Instant::now() });
        if records.len() > KEPT {
            records.pop_front();
        }
        drop(records);
        self.newest.send_replace(sequence);
        event
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use winterbaume_dynamodb::Item;

    use super::*;

    fn push(stream: &Stream, id: &str) -> String {
        let key: Item = serde_json::from_value(json!({"id": {"S": id}})).unwrap();
        stream.push(&Change { key: &key, before: None, after: Some(&key), by_service: false })
    }

    #[tokio::test]
    async fn a_reader_keeps_its_own_place_and_never_misses_an_arrival() {
        let stream = Arc::new(Stream::new("T"));
        let waiting = tokio::spawn({
            let stream = Arc::clone(&stream);
            async move { stream.arrival(0).await }
        });
        let events: Vec<_> = (0..5).map(|n| push(&stream, &n.to_string())).collect();
        waiting.await.unwrap();
        let first = stream.read(0, 2);
        assert_eq!(first.iter().map(|record| record.value["eventID"].as_str().unwrap()).collect::<Vec<_>>(), events[..2]);
        assert_eq!(first[0].value["dynamodb"]["SequenceNumber"], first[0].sequence.to_string());
        let next = first[1].sequence + 1;
        stream.arrival(next).await;
        let rest = stream.read(next, 100);
        assert_eq!(
            rest.iter().map(|record| record.value["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap()).collect::<Vec<_>>(),
            ["2", "3", "4"]
        );
        assert_eq!(stream.read(0, 100).len(), 5, "reading takes nothing away");
        assert!(stream.read(rest[2].sequence + 1, 100).is_empty());
        let next = rest[2].sequence + 1;
        assert!(tokio::time::timeout(std::time::Duration::ZERO, stream.arrival(next)).await.is_err());
        push(&stream, "5");
        stream.arrival(next).await;
    }

    #[test]
    fn the_oldest_records_are_dropped_first_and_a_late_reader_begins_with_the_rest() {
        let stream = Stream::new("T");
        for n in 0..KEPT + 3 {
            push(&stream, &n.to_string());
        }
        let left = stream.read(0, 1);
        assert_eq!(left[0].value["dynamodb"]["Keys"]["id"]["S"], "3");
        assert_eq!(stream.read(left[0].sequence + 1, 1)[0].value["dynamodb"]["Keys"]["id"]["S"], "4");
    }
}
