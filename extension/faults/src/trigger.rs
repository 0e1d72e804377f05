//! What invokes a function. What a fault means depends on it.

/// A trigger of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// `Invoke` with `RequestResponse`.
    Invoke,
    /// API Gateway, Lambda proxy integration.
    Http,
    /// API Gateway, request authorizer.
    Authorizer,
    /// SQS, batch of 1, no partial response.
    Queue,
    /// DynamoDB stream.
    TableStream,
    /// Cognito, post-authentication.
    SignIn,
    /// Step Functions task.
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
