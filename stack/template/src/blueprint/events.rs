//! EventBridge: buses, rules, schedules.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::Target;

/// An event bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bus {
    /// `Name`.
    pub name: String,
}

/// A rule of a bus, or a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `Name`.
    pub name: String,
    /// When it applies.
    pub trigger: Trigger,
    /// Who gets its events.
    pub targets: Vec<RuleTarget>,
    /// `State`.
    pub enabled: bool,
}

/// When a rule applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// To events of a bus that match.
    Pattern {
        /// The name of the bus.
        bus: String,
        /// `EventPattern`, an object.
        pattern: Value,
    },
    /// At times.
    Schedule(Schedule),
    /// To each pattern and at each time: a rule may have both.
    Both {
        /// The name of the bus.
        bus: String,
        /// `EventPattern`, an object.
        pattern: Value,
        /// `ScheduleExpression`.
        schedule: Schedule,
    },
}

/// A `ScheduleExpression`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// `rate(5 minutes)`.
    Every(Duration),
    /// `cron(0 12 * * ? *)`: the six fields, as text, in UTC.
    Cron(String),
    /// `at(2026-11-29T12:00:00)`, in UTC: the time as text.
    Once(String),
}

/// A target of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTarget {
    /// Who gets the event.
    pub to: Target,
    /// What it gets.
    pub given: Given,
    /// `DeadLetterConfig.Arn`: a queue's name.
    pub dead_letters: Option<String>,
    /// `SqsParameters.MessageGroupId`.
    pub group: Option<String>,
    /// `RetryPolicy.MaximumRetryAttempts`, 0 to 185; `None` is 185.
    pub retries: Option<u32>,
    /// `RetryPolicy.MaximumEventAgeInSeconds`; `None` is 24 h.
    pub oldest: Option<Duration>,
}

/// What a target of a rule gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The event.
    Event,
    /// `Input`: a fixed JSON text.
    Text(String),
    /// `InputPath`: a part of the event.
    Path(String),
    /// `InputTransformer`.
    Transformed {
        /// `InputPathsMap`.
        paths: BTreeMap<String, String>,
        /// `InputTemplate`.
        template: String,
    },
}
