//! Alarms on queues.

use std::time::Duration;

/// An alarm on a queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// `AlarmName`.
    pub name: String,
    /// The queue's name.
    pub queue: String,
    /// The metric.
    pub metric: Metric,
    /// `Period`.
    pub period: Duration,
    /// Whether the alarm also fires at the threshold (`GreaterThanOrEqualToThreshold`) or only
    /// above it (`GreaterThanThreshold`).
    pub inclusive: bool,
    /// `Threshold`: seconds or messages.
    pub threshold: f64,
    /// The name of the topic that gets the notifications.
    pub tells: Option<String>,
}

impl Eq for Alarm {}

/// A metric of a queue, of namespace `AWS/SQS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// `ApproximateAgeOfOldestMessage`, in seconds at AWS; statistic `Maximum`.
    AgeOfOldest,
    /// `NumberOfMessagesSent`; statistic `Sum`.
    Sent,
    /// `ApproximateNumberOfMessagesVisible`; statistic `Maximum`.
    Visible,
}
