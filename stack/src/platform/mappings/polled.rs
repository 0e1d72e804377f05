//! What mappings poll: queues and streams, independent of their implementation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::Value;
use template::blueprint::Target;
use tokio::sync::watch;

/// A message received from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `messageId`.
    pub id: String,
    /// `receiptHandle`.
    pub receipt: String,
    /// `body`.
    pub body: String,
    /// `md5OfBody`.
    pub md5: String,
    /// `ApproximateReceiveCount`, `SentTimestamp` and so on.
    pub attributes: BTreeMap<String, String>,
    /// `messageAttributes`: the attributes that its sender set.
    pub typed: BTreeMap<String, Value>,
}

/// A queue that invokes a function, or that gets what a function could not process.
#[async_trait]
pub trait Queue: Send + Sync {
    /// At most `most` of the messages that are visible now; they become invisible for the queue's
    /// visibility timeout.
    fn receive(&self, most: usize) -> Vec<Message>;
    /// Returns once a message may be visible. May be cancelled at any time.
    async fn arrival(&self);
    /// Deletes a received message.
    fn delete(&self, receipt: &str) -> bool;
    /// Makes a received message visible again after this time.
    fn make_visible(&self, receipt: &str, after: Duration) -> bool;
    /// Sends a message; returns its id if the queue accepted it.
    fn send(&self, body: String) -> Option<String>;
}

/// A record of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place in the shard.
    pub sequence: u64,
    /// Its `SequenceNumber`, by which a function reports it.
    pub id: String,
    /// What it is about: records of one key keep their order.
    pub key: String,
    /// When it was written.
    pub written: SystemTime,
    /// As the function gets it.
    pub value: Value,
    /// As filters see it, if that differs.
    pub filtered: Option<Value>,
}

/// Which shard records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it is a table's stream; else it is a data stream of Kinesis.
    pub of_table: bool,
    /// The name of the table or of the data stream.
    pub name: String,
    /// The stream's ARN.
    pub arn: String,
    /// The shard's id.
    pub shard: String,
}

/// A shard of a stream.
#[async_trait]
pub trait Stream: Send + Sync {
    /// Which one it is.
    fn origin(&self) -> Origin;
    /// The place of the next record to come.
    fn next(&self) -> u64;
    /// At most `most` of the records from `from` on, oldest first.
    fn read(&self, from: u64, most: usize) -> Vec<Record>;
    /// The root of the request that wrote the record at this place, if it is known.
    fn cause(&self, _sequence: u64) -> Option<String> {
        None
    }
    /// Returns once there is a record from `from` on.
    async fn arrival(&self, from: u64);
}

/// Gets what was given up.
pub trait Receiver: Send + Sync {
    /// Takes a notice; for a bucket, to be stored under `key`. Returns the id of a queue's message.
    fn take(&self, key: &str, notice: String) -> Option<String>;
    /// Whether it also gets the records.
    fn takes_records(&self) -> bool;
}

/// Finds queues and streams, and what gets notices.
pub trait Sources {
    /// The queue of this name.
    fn queue(&self, name: &str) -> Option<Arc<dyn Queue>>;
    /// The stream of the table of this name.
    fn stream(&self, table: &str) -> Option<Arc<dyn Stream>>;
    /// The shards of the data stream of this name; none if it does not exist.
    fn data_stream(&self, name: &str) -> Vec<Arc<dyn Stream>>;
    /// What gets notices about records that were given up.
    fn receiver(&self, target: &Target) -> Option<Arc<dyn Receiver>>;
}

/// Returns once the mappings must stop.
pub(super) async fn asked(stop: &mut watch::Receiver<bool>) {
    // If the sender is gone, the mappings must stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
