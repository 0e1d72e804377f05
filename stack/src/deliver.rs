//! How the platform hands on what became of an asynchronous event. It decides nothing; the services
//! receive.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use template::blueprint::Target;

use crate::services::Services;
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;

/// What is handed on.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter {
    /// The function whose event it is.
    pub function: String,
    /// The body: a record, or the event itself for a dead-letter queue.
    pub body: String,
    /// What a message has besides, each value as SQS has it: `DataType` and `StringValue`.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether the event succeeded.
    pub succeeded: bool,
}

impl Letter {
    /// An attribute of a message.
    pub fn attribute(kind: &str, value: &str) -> Value {
        json!({ "DataType": kind, "StringValue": value })
    }
}

/// Why something was not handed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// There is no such receiver.
    #[error("there is no {0:?}")]
    Unknown(Target),
    /// A kind of receiver that is not served here.
    #[error("{0:?} gets nothing from functions on this machine")]
    Kind(Target),
}

/// Hands on.
#[async_trait]
pub trait Deliver: Debug + Send + Sync {
    /// Hands a letter to a receiver other than a function.
    ///
    /// # Errors
    /// If there is no such receiver.
    async fn deliver(&self, to: &Target, letter: Letter) -> Result<(), DeliverError>;
}

/// The queues and topics of this machine.
pub struct ToServices {
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
}

impl ToServices {
    /// To the queues and topics of these services.
    pub fn new(services: &Services) -> Arc<Self> {
        Arc::new(Self { sqs: Arc::clone(&services.sqs), sns: Arc::clone(&services.sns) })
    }
}

impl Debug for ToServices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ToServices")
    }
}

#[async_trait]
impl Deliver for ToServices {
    async fn deliver(&self, to: &Target, letter: Letter) -> Result<(), DeliverError> {
        let attributes = letter.attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let taken = match to {
            Target::Queue(queue) => self.sqs.send_typed(queue, letter.body, attributes).map(drop),
            // A topic here keeps no attributes.
            Target::Topic(topic) => self.sns.publish(topic, None, letter.body).map(drop),
            Target::Function(_) | Target::Bus(_) | Target::Bucket(_) | Target::DataStream(_) | Target::Machine(_) => {
                return Err(DeliverError::Kind(to.clone()));
            }
        };
        taken.ok_or_else(|| DeliverError::Unknown(to.clone()))
    }
}

/// No receiver at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToNowhere;

#[async_trait]
impl Deliver for ToNowhere {
    async fn deliver(&self, to: &Target, _letter: Letter) -> Result<(), DeliverError> {
        Err(DeliverError::Unknown(to.clone()))
    }
}
