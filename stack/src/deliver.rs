//! How the platform hands on what became of an asynchronous event. It decides nothing; the services
//! receive.

use std::fmt::Debug;

use async_trait::async_trait;
use serde_json::{Value, json};
use template::blueprint::Target;

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

/// No receiver at all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ToNowhere;

#[async_trait]
impl Deliver for ToNowhere {
    async fn deliver(&self, to: &Target, _letter: Letter) -> Result<(), DeliverError> {
        Err(DeliverError::Unknown(to.clone()))
    }
}
