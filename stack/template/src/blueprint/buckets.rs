//! Buckets, and mail that is stored in them.

use super::Target;

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// `BucketName`.
    pub name: String,
    /// `NotificationConfiguration`, one for each of its functions, queues and topics.
    pub notifies: Vec<Notification>,
    /// `EventBridgeConfiguration`: every event also goes to the bus `default`.
    pub to_event_bridge: bool,
    /// `VersioningConfiguration`.
    pub versioned: bool,
}

/// Who gets which events of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// A function, a queue or a topic.
    pub to: Target,
    /// `Event`, such as `s3:ObjectCreated:*`.
    pub event: String,
    /// The filter rule `prefix`; empty for any.
    pub prefix: String,
    /// The filter rule `suffix`; empty for any.
    pub suffix: String,
}

impl Notification {
    /// Every created object of the bucket goes to a queue.
    pub fn created(queue: impl Into<String>) -> Self {
        Self { to: Target::Queue(queue.into()), event: "s3:ObjectCreated:*".to_owned(), prefix: String::new(), suffix: String::new() }
    }
}

/// A receipt rule: mail is stored as `<prefix><message id>` in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `S3Action.BucketName`.
    pub bucket: String,
    /// `S3Action.ObjectKeyPrefix`.
    pub prefix: String,
}
