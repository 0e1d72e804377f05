//! What a stack is made of besides APIs, as the template declares it: plain data between the
//! template's reader and the services. Names are the physical ones (`incoming`), times are the
//! uncompressed ones at AWS.

mod alarms;
mod buckets;
mod data_streams;
mod events;
mod functions;
mod mappings;
mod others;
mod queues;
mod tables;
mod target;
mod topics;

use std::collections::BTreeSet;

pub use alarms::{Alarm, Metric};
pub use buckets::{Bucket, Notification, Receipt};
pub use data_streams::DataStream;
pub use events::{Bus, Given, Rule, RuleTarget, Schedule, Trigger};
pub use functions::{Asynchronous, Code, Function, Layer, LogFormat, Managed, Runtime, Url};
pub use mappings::{Beginning, Mapping, RecordLimits, Source};
pub use others::{EncryptionKey, Machine, MachineKind, Parameter, PoolEvent, Secret, UserPool};
pub use queues::{Fifo, Queue, Redrive};
pub use tables::{Attribute, AttributeType, Index, Key, Table, View};
pub use target::Target;
pub use topics::{FilterOn, Subscription, Topic};

/// Everything besides APIs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blueprint {
    /// `AWS::Lambda::Function`.
    pub functions: Vec<Function>,
    /// `AWS::SQS::Queue`.
    pub queues: Vec<Queue>,
    /// `AWS::S3::Bucket`.
    pub buckets: Vec<Bucket>,
    /// `AWS::SNS::Topic`.
    pub topics: Vec<Topic>,
    /// `AWS::SNS::Subscription`.
    pub subscriptions: Vec<Subscription>,
    /// `AWS::DynamoDB::Table`.
    pub tables: Vec<Table>,
    /// `AWS::Kinesis::Stream`.
    pub data_streams: Vec<DataStream>,
    /// `AWS::Events::EventBus`; the bus `default` exists always.
    pub buses: Vec<Bus>,
    /// `AWS::Events::Rule` and `AWS::Scheduler::Schedule`.
    pub rules: Vec<Rule>,
    /// `AWS::CloudWatch::Alarm`.
    pub alarms: Vec<Alarm>,
    /// `AWS::SES::ReceiptRule`s that store mail.
    pub receipts: Vec<Receipt>,
    /// `AWS::Lambda::EventSourceMapping`: functions that queues and streams invoke.
    pub mappings: Vec<Mapping>,
    /// `AWS::Cognito::UserPool`.
    pub pools: Vec<UserPool>,
    /// `AWS::VerifiedPermissions::PolicyStore`, by logical id.
    pub policy_stores: Vec<String>,
    /// `AWS::SES::EmailIdentity`: addresses and domains that may send mail.
    pub senders: Vec<String>,
    /// `AWS::StepFunctions::StateMachine`.
    pub machines: Vec<Machine>,
    /// `AWS::SSM::Parameter`.
    pub parameters: Vec<Parameter>,
    /// `AWS::SecretsManager::Secret`.
    pub secrets: Vec<Secret>,
    /// `AWS::KMS::Key`, with its aliases; the aliases `alias/aws/...` exist always.
    pub encryption_keys: Vec<EncryptionKey>,
    /// `AWS::Logs::LogGroup`, by name; those of functions exist always.
    pub log_groups: Vec<String>,
}

impl Blueprint {
    /// Adds everything of `other`.
    pub fn extend(&mut self, other: Self) {
        self.functions.extend(other.functions);
        self.queues.extend(other.queues);
        self.buckets.extend(other.buckets);
        self.topics.extend(other.topics);
        self.subscriptions.extend(other.subscriptions);
        self.tables.extend(other.tables);
        self.data_streams.extend(other.data_streams);
        self.buses.extend(other.buses);
        self.rules.extend(other.rules);
        self.alarms.extend(other.alarms);
        self.receipts.extend(other.receipts);
        self.mappings.extend(other.mappings);
        self.pools.extend(other.pools);
        self.policy_stores.extend(other.policy_stores);
        self.senders.extend(other.senders);
        self.machines.extend(other.machines);
        self.parameters.extend(other.parameters);
        self.secrets.extend(other.secrets);
        self.encryption_keys.extend(other.encryption_keys);
        self.log_groups.extend(other.log_groups);
    }

    /// The names of the dead-letter queues: what other queues, functions, subscriptions and rules
    /// could not deliver goes there.
    pub fn dead_letters(&self) -> BTreeSet<String> {
        let queues = self.queues.iter().filter_map(|queue| Some(queue.redrive.as_ref()?.to.clone()));
        let events = self.functions.iter().filter_map(|function| match function.asynchronous.dead_letters.as_ref()? {
            Target::Queue(name) => Some(name.clone()),
            _ => None,
        });
        let subscriptions = self.subscriptions.iter().filter_map(|subscription| subscription.dead_letters.clone());
        let targets = self.rules.iter().flat_map(|rule| &rule.targets).filter_map(|target| target.dead_letters.clone());
        let is_served = |name: &String| self.queues.iter().any(|queue| queue.name == *name);
        queues.chain(events).chain(subscriptions).chain(targets).filter(is_served).collect()
    }

    /// The names that must be unique within their kind: the kind and the name.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let functions = self.functions.iter().map(|it| ("function", it.name.as_str()));
        let queues = self.queues.iter().map(|it| ("queue", it.name.as_str()));
        let buckets = self.buckets.iter().map(|it| ("bucket", it.name.as_str()));
        let topics = self.topics.iter().map(|it| ("topic", it.name.as_str()));
        let tables = self.tables.iter().map(|it| ("table", it.name.as_str()));
        let streams = self.data_streams.iter().map(|it| ("data stream", it.name.as_str()));
        let buses = self.buses.iter().map(|it| ("event bus", it.name.as_str()));
        let alarms = self.alarms.iter().map(|it| ("alarm", it.name.as_str()));
        let pools = self.pools.iter().map(|it| ("user pool", it.name.as_str()));
        let stores = self.policy_stores.iter().map(|id| ("policy store", id.as_str()));
        let machines = self.machines.iter().map(|it| ("state machine", it.name.as_str()));
        let parameters = self.parameters.iter().map(|it| ("parameter", it.name.as_str()));
        let secrets = self.secrets.iter().map(|it| ("secret", it.name.as_str()));
        let of_events = streams.chain(buses).chain(parameters).chain(secrets);
        functions
            .chain(queues)
            .chain(buckets)
            .chain(topics)
            .chain(tables)
            .chain(alarms)
            .chain(pools)
            .chain(stores)
            .chain(machines)
            .chain(of_events)
    }
}
