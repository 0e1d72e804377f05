//! Topics and their subscriptions.

use serde_json::Value;

use super::Target;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// `TopicName`.
    pub name: String,
    /// `FifoTopic`.
    pub fifo: bool,
    /// `ContentBasedDeduplication`, of a topic that is first in, first out.
    pub by_content: bool,
}

impl Topic {
    /// A standard topic.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), fifo: false, by_content: false }
    }
}

/// Who gets what is published to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The topic's name.
    pub topic: String,
    /// A function or a queue.
    pub to: Target,
    /// `FilterPolicy`.
    pub filter: Option<Value>,
    /// `FilterPolicyScope`.
    pub filter_on: FilterOn,
    /// `RawMessageDelivery`.
    pub raw: bool,
    /// `RedrivePolicy.deadLetterTargetArn`: a queue's name.
    pub dead_letters: Option<String>,
}

/// What a filter policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterOn {
    /// `MessageAttributes`.
    #[default]
    Attributes,
    /// `MessageBody`.
    Body,
}
