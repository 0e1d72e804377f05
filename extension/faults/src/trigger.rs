//! What invokes a function. What a fault means depends on it.

use serde::{Deserialize, Serialize};

/// What invokes a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// `Invoke` with `RequestResponse`.
    Invoke,
    /// API Gateway by Lambda proxy integration, or a function URL.
    Http,
    /// API Gateway, as a request authorizer.
    Authorizer,
    /// SQS, batch of 1, no partial response.
    Queue,
    /// A DynamoDB stream.
    TableStream,
    /// Cognito, after the authentication.
    SignIn,
    /// A task of Step Functions.
    Task,
    /// Asynchronous: S3, SNS, EventBridge, `Invoke` with `Event`.
    Asynchronous,
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::Invoke, Self::Http, Self::Authorizer, Self::Queue, Self::TableStream, Self::SignIn, Self::Task, Self::Asynchronous];

    /// As people call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "Invoke",
            Self::Http => "HTTP proxy (REST)",
            Self::Authorizer => "request authorizer",
            Self::Queue => "SQS, batch of 1",
            Self::TableStream => "DynamoDB stream",
            Self::SignIn => "Cognito post-authentication",
            Self::Task => "Step Functions task",
            Self::Asynchronous => "asynchronous (S3, SNS, EventBridge)",
        }
    }
}
