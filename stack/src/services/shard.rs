//! A shard: records in the order of their writes. Readers keep their own position; reading removes
//! nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use run_folder::cause;
use serde_json::Value;
use tokio::sync::watch;

use crate::platform::names::now;

/// The most records that are kept; the oldest are dropped first, however young. AWS drops them by
/// their age only. This is far more than a run makes.
pub const KEPT: usize = 100_000;

/// The first record's number; all numbers have the same number of digits, so that they sort alike
/// as text.
pub const FIRST: u64 = 100_000_000_001;

/// A shard.
#[derive(Debug)]
pub struct Shard {
    records: Mutex<VecDeque<Kept>>,
    /// The number of the newest record.
    newest: watch::Sender<u64>,
    retention: Duration,
}

/// A record with its JSON as text, which takes a third of the memory of a tree.
#[derive(Debug)]
struct Kept {
    sequence: u64,
    key: String,
    json: String,
    written: SystemTime,
    /// The root of the request that wrote it, if it is known.
    cause: Option<Box<str>>,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its position in the shard.
    pub sequence: u64,
    /// What it is about: records of one key keep their order.
    pub key: String,
    /// The record.
    pub value: Value,
    /// When it was written.
    pub written: SystemTime,
}

impl Shard {
    /// An empty shard that drops records of this age.
    pub fn new(retention: Duration) -> Self {
        Self { records: Mutex::default(), newest: watch::Sender::new(FIRST - 1), retention }
    }

    /// Records with this number or a later one, oldest first. If older ones were dropped, it begins
    /// with the oldest that is left.
    pub fn read(&self, from: u64, most: usize) -> Vec<Record> {
        let mut records = self.records();
        let old = |kept: &Kept| kept.written.elapsed().is_ok_and(|age| age > self.retention);
        while records.front().is_some_and(old) {
            records.pop_front();
        }
        let oldest = records.front().map_or(FIRST, |record| record.sequence);
        let skipped = usize::try_from(from.saturating_sub(oldest)).unwrap_or(usize::MAX);
        let record = |it: &Kept| {
            let value = serde_json::from_str(&it.json).ok()?;
            Some(Record { sequence: it.sequence, key: it.key.clone(), value, written: it.written })
        };
        records.iter().skip(skipped).take(most).filter_map(record).collect()
    }

    /// The root of the request that wrote the record with this number, if it is known.
    pub fn cause(&self, sequence: u64) -> Option<String> {
        let records = self.records();
        let at = records.binary_search_by_key(&sequence, |kept| kept.sequence).ok()?;
        records.get(at)?.cause.as_deref().map(str::to_owned)
    }

    /// Returns once there is a record with this number or a later one.
    pub async fn arrival(&self, from: u64) {
        // The sender lives as long as the shard does.
        let _ = self.newest.subscribe().wait_for(|newest| *newest >= from.max(FIRST)).await;
    }

    /// How many records are kept.
    pub fn count(&self) -> usize {
        self.records().len()
    }

    /// The number that the next record will have.
    pub fn next(&self) -> u64 {
        *self.newest.borrow() + 1
    }

    /// The number of the first record that was written at this time or later.
    pub fn since(&self, time: SystemTime) -> u64 {
        self.records().iter().find(|it| it.written >= time).map_or_else(|| self.next(), |it| it.sequence)
    }

    /// Appends what `record` makes of its number and time; returns its number.
    pub fn push(&self, key: String, record: impl FnOnce(u64, SystemTime) -> Value) -> u64 {
        let mut records = self.records();
        let (sequence, written) = (self.next(), SystemTime::now());
        let cause = cause::root().map(Into::into);
        records.push_back(Kept { sequence, key, json: record(sequence, written).to_string(), written, cause });
        if records.len() > KEPT {
            records.pop_front();
        }
        drop(records);
        self.newest.send_replace(sequence);
        sequence
    }

    fn records(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text of an iterator: what it reads, the shard's number, the place, and when it was made.
pub fn iterator(name: &str, number: usize, from: u64) -> String {
    STANDARD.encode(format!("{name}/{number}/{from}/{}", now().as_secs()))
}

/// Why an iterator is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoIterator {
    /// It is none.
    Invalid,
    /// It is too old.
    Expired,
}

/// What an iterator reads, the shard's number and the place.
///
/// # Errors
/// If it is none or older than `valid`.
pub fn read_iterator(text: &str, valid: Duration) -> Result<(String, usize, u64), NoIterator> {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts: Vec<&str> = decoded.as_deref().unwrap_or_default().split('/').collect();
    let [name, number, from, made] = parts.as_slice() else { return Err(NoIterator::Invalid) };
    let (Ok(number), Ok(from), Ok(made)) = (number.parse(), from.parse(), made.parse()) else { return Err(NoIterator::Invalid) };
    let expired = now().saturating_sub(Duration::from_secs(made)) > valid;
    if expired { Err(NoIterator::Expired) } else { Ok(((*name).to_owned(), number, from)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn push(shard: &Shard, n: usize) -> u64 {
        shard.push(n.to_string(), |sequence, _| json!([n, sequence]))
    }

    #[tokio::test]
    async fn a_reader_keeps_its_own_place_and_never_misses_an_arrival() {
        let shard = Arc::new(Shard::new(DAY));
        let waiting = tokio::spawn({
            let shard = Arc::clone(&shard);
            async move { shard.arrival(0).await }
        });
        let numbers: Vec<_> = (0..5).map(|n| push(&shard, n)).collect();
        waiting.await.unwrap();
        let first = shard.read(0, 2);
        assert_eq!(first.iter().map(|it| it.sequence).collect::<Vec<_>>(), numbers[..2]);
        assert_eq!((&first[0].value, first[0].key.as_str()), (&json!([0, numbers[0]]), "0"));
        let next = first[1].sequence + 1;
        shard.arrival(next).await;
        assert_eq!(shard.read(next, 100).iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["2", "3", "4"]);
        assert_eq!(shard.read(0, 100).len(), 5, "reading takes nothing away");
        let next = shard.next();
        assert!(shard.read(next, 100).is_empty());
        assert!(tokio::time::timeout(Duration::ZERO, shard.arrival(next)).await.is_err());
        push(&shard, 5);
        shard.arrival(next).await;
    }

    #[test]
    fn a_record_knows_the_request_that_wrote_it() {
        let shard = Shard::new(DAY);
        let first = cause::with_sync(Some("1-a-b"), || push(&shard, 0));
        let second = push(&shard, 1);
        let causes = [first, second, second + 1].map(|sequence| shard.cause(sequence));
        assert_eq!(causes, [Some("1-a-b".to_owned()), None, None]);
    }

    #[test]
    fn the_oldest_records_are_dropped_first_and_a_late_reader_begins_with_the_rest() {
        let shard = Shard::new(DAY);
        for n in 0..KEPT + 3 {
            push(&shard, n);
        }
        let left = shard.read(0, 1);
        assert_eq!(left[0].key, "3");
        assert_eq!(shard.read(left[0].sequence + 1, 1)[0].key, "4");
    }

    #[test]
    fn records_older_than_the_retention_are_gone_and_a_time_names_the_first_record_since() {
        let shard = Shard::new(Duration::from_millis(50));
        let first = push(&shard, 0);
        assert_eq!(shard.since(SystemTime::UNIX_EPOCH), first);
        std::thread::sleep(Duration::from_millis(60));
        assert!(shard.read(0, 10).is_empty());
        assert_eq!(shard.since(SystemTime::now()), shard.next());
    }

    #[test]
    fn an_iterator_is_read_back_until_it_is_too_old() {
        let text = iterator("clicks", 3, 17);
        assert_eq!(read_iterator(&text, DAY), Ok(("clicks".to_owned(), 3, 17)));
        let old = STANDARD.encode("clicks/3/17/1000");
        assert_eq!(read_iterator(&old, DAY), Err(NoIterator::Expired));
        for text in ["", "none", "AAAA", &STANDARD.encode("clicks/x/17/1000")] {
            assert_eq!(read_iterator(text, DAY), Err(NoIterator::Invalid), "{text}");
        }
    }
}
