//! Queues.

use std::time::Duration;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// `QueueName`.
    pub name: String,
    /// `VisibilityTimeout`.
    pub visibility: Duration,
    /// `MessageRetentionPeriod`.
    pub retention: Duration,
    /// `DelaySeconds`.
    pub delay: Duration,
    /// `ReceiveMessageWaitTimeSeconds`.
    pub wait: Duration,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
    /// `FifoQueue`.
    pub fifo: Option<Fifo>,
}

impl Queue {
    /// A queue with the defaults of AWS. Source: SQS API reference, CreateQueue.
    pub fn named(name: impl Into<String>) -> Self {
        let (visibility, retention) = (Duration::from_secs(30), Duration::from_secs(4 * 24 * 60 * 60));
        Self { name: name.into(), visibility, retention, delay: Duration::ZERO, wait: Duration::ZERO, redrive: None, fifo: None }
    }
}

/// Where a queue's messages go after too many receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// The name of the dead-letter queue.
    pub to: String,
    /// `maxReceiveCount`: a message can be received that many times; at the next receive it is
    /// moved instead.
    pub max_receives: u32,
}

/// What makes a queue first in, first out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fifo {
    /// `ContentBasedDeduplication`.
    pub by_content: bool,
}
