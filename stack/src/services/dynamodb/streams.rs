//! The streams of tables: one shard each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::digest;
use template::blueprint::View;

use super::images::Change;
use super::tables;
use crate::platform::names::{ACCOUNT, REGION};
use crate::services::shard::Shard;
use crate::services::wire::hexadecimal;

/// The end of a stream's ARN: at AWS it is the time at which it was enabled.
pub const LABEL: &str = template::account::STREAM_LABEL;

/// How long records are kept. Source: Amazon DynamoDB, "Change data capture for DynamoDB Streams".
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// The stream of one table.
#[derive(Debug)]
pub struct Stream {
    arn: String,
    view: View,
    shard: Shard,
}

/// The ARN of a table's stream.
pub fn arn(table: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}/stream/{LABEL}")
}

impl Stream {
    /// An empty stream of the table `table`.
    pub fn new(table: &str, view: View) -> Self {
        Self { arn: arn(table), view, shard: Shard::new(RETENTION) }
    }

    /// `StreamViewType`.
    pub fn view_type(&self) -> &'static str {
        tables::view(self.view)
    }

    /// Its records.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// Appends a change and returns its event id.
    pub(super) fn push(&self, change: &Change<'_>) -> String {
        static EVENTS: AtomicU64 = AtomicU64::new(0);
        let event = format!("{}/{}/{:?}", self.arn, EVENTS.fetch_add(1, Ordering::Relaxed), UNIX_EPOCH.elapsed());
        let hash = digest::digest(&digest::SHA256, event.as_bytes());
        let event = hexadecimal(hash.as_ref().get(..16).unwrap_or_default());
        self.shard.push(change.key(), |sequence, now| {
            let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            change.record(self.view, &self.arn, &event, sequence, seconds)
        });
        event
    }
}
