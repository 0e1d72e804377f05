//! What a stack is made of besides functions and routes, as the template declares it: plain data
//! between the template's reader and the services. Names are the physical ones (`incoming`), times
//! are the uncompressed ones at AWS.

use std::time::Duration;

use serde_json::Value;
use states::Definition;

/// Everything besides functions and routes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blueprint {
    /// `AWS::SQS::Queue`.
    pub queues: Vec<Queue>,
    /// `AWS::S3::Bucket`.
    pub buckets: Vec<Bucket>,
    /// `AWS::SNS::Topic`.
    pub topics: Vec<Topic>,
    /// `AWS::DynamoDB::Table`.
    pub tables: Vec<Table>,
    /// `AWS::CloudWatch::Alarm`.
    pub alarms: Vec<Alarm>,
    /// `AWS::SES::ReceiptRule`s that store mail.
    pub receipts: Vec<Receipt>,
    /// Functions that queues and streams invoke.
    pub mappings: Vec<Mapping>,
    /// `AWS::Cognito::UserPool`.
    pub pools: Vec<UserPool>,
    /// `AWS::VerifiedPermissions::PolicyStore`, by logical id.
    pub policy_stores: Vec<String>,
    /// `AWS::SES::EmailIdentity`: addresses and domains that may send mail.
    pub senders: Vec<String>,
    /// `AWS::Serverless::StateMachine`.
    pub machines: Vec<Machine>,
}

impl Blueprint {
    /// Adds everything of `other`.
    pub fn extend(&mut self, other: Self) {
        self.queues.extend(other.queues);
        self.buckets.extend(other.buckets);
        self.topics.extend(other.topics);
        self.tables.extend(other.tables);
        self.alarms.extend(other.alarms);
        self.receipts.extend(other.receipts);
        self.mappings.extend(other.mappings);
        self.pools.extend(other.pools);
        self.policy_stores.extend(other.policy_stores);
        self.senders.extend(other.senders);
        self.machines.extend(other.machines);
    }

    /// The names that must be unique within their kind: the kind and the name.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let queues = self.queues.iter().map(|it| ("queue", it.name.as_str()));
        let buckets = self.buckets.iter().map(|it| ("bucket", it.name.as_str()));
        let topics = self.topics.iter().map(|it| ("topic", it.name.as_str()));
        let tables = self.tables.iter().map(|it| ("table", it.name.as_str()));
        let alarms = self.alarms.iter().map(|it| ("alarm", it.name.as_str()));
        let pools = self.pools.iter().map(|it| ("user pool", it.name.as_str()));
        let stores = self.policy_stores.iter().map(|id| ("policy store", id.as_str()));
        let machines = self.machines.iter().map(|it| ("state machine", it.name.as_str()));
        queues.chain(buckets).chain(topics).chain(tables).chain(alarms).chain(pools).chain(stores).chain(machines)
    }
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// `QueueName`.
    pub name: String,
    /// `VisibilityTimeout`.
    pub visibility: Duration,
    /// `MessageRetentionPeriod`.
    pub retention: Duration,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
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

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `BucketName`.
    pub name: String,
    /// Names of the queues that get `s3:ObjectCreated:*` events.
    pub notifies: Vec<String>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// `TopicName`.
    pub name: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `TableName`.
    pub name: String,
    /// The partition key, always text here.
    pub key: String,
    /// The attribute of `TimeToLiveSpecification`, if it is enabled.
    pub expires_by: Option<String>,
    /// Whether it has a stream of old and new images.
    pub streams: bool,
}

/// A receipt rule: mail is stored as `<prefix><message id>` in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// `S3Action.BucketName`.
    pub bucket: String,
    /// `S3Action.ObjectKeyPrefix`.
    pub prefix: String,
}

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

/// A state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// `Name`.
    pub name: String,
    /// The parsed `Definition`.
    pub definition: Definition,
}

impl Eq for Machine {}

/// What invokes a function, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The function's name.
    pub function: String,
    /// What invokes it.
    pub source: Source,
    /// `BatchSize`.
    pub batch: u32,
    /// `MaximumBatchingWindowInSeconds`.
    pub window: Duration,
    /// `FilterCriteria`: patterns, of which one must match; without patterns every record passes.
    pub filters: Vec<Value>,
    /// Whether `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub partial: bool,
}

/// What invokes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A queue.
    Queue {
        /// Its name.
        name: String,
        /// `ScalingConfig.MaximumConcurrency`.
        max_concurrency: Option<u32>,
    },
    /// A table's stream, from its beginning (`TRIM_HORIZON`).
    Stream {
        /// The table's name.
        table: String,
        /// `BisectBatchOnFunctionError`.
        bisect: bool,
        /// `MaximumRetryAttempts`; `None` retries without limit.
        retries: Option<u32>,
        /// The name of the queue of `DestinationConfig.OnFailure`.
        on_failure: Option<String>,
    },
}

/// A user pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPool {
    /// `UserPoolName`.
    pub name: String,
    /// The name of the function that the pool invokes after an authentication.
    pub post_authentication: Option<String>,
}
