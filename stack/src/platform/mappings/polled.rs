//! What mappings poll: queues and streams, independent of their implementation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
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
    /// Its place in the stream.
    pub sequence: u64,
    /// As the function gets it.
    pub value: Value,
}

/// A stream of one shard.
#[async_trait]
pub trait Stream: Send + Sync {
    /// At most `most` of the records from `from` on, oldest first.
    fn read(&self, from: u64, most: usize) -> Vec<Record>;
    /// Returns once there is a record from `from` on.
    async fn arrival(&self, from: u64);
}

/// Finds queues and streams.
pub trait Sources {
    /// The queue of this name.
    fn queue(&self, name: &str) -> Option<Arc<dyn Queue>>;
    /// The stream of the table of this name.
    fn stream(&self, table: &str) -> Option<Arc<dyn Stream>>;
}

/// Returns once the mappings must stop.
pub(super) async fn asked(stop: &mut watch::Receiver<bool>) {
    // If the sender is gone, the mappings must stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
