//! A failed call to a dependency: which one, and briefly how. It never holds what was sent, so that
//! no token gets into a log.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use thiserror::Error;

/// A call to a dependency that returned no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{service} failed: {how}")]
pub struct DependencyFailure {
    /// The service that failed.
    pub service: &'static str,
    /// A short description of the failure.
    pub how: String,
}

impl DependencyFailure {
    /// A failure that was found by checking the answer.
    pub fn new(service: &'static str, how: impl Into<String>) -> Self {
        Self { service, how: how.into() }
    }

    /// A failure that the SDK reports after its last attempt.
    pub fn of<E: ProvideErrorMetadata, R>(service: &'static str, error: &SdkError<E, R>) -> Self {
        let how = match error {
            SdkError::TimeoutError(_) => "no answer in time".to_owned(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => "no answer in time".to_owned(),
            SdkError::DispatchFailure(_) => "connection failed".to_owned(),
            SdkError::ServiceError(context) => format!("error `{}`", context.err().code().unwrap_or("without a code")),
            SdkError::ConstructionFailure(_) => "the request could not be made".to_owned(),
            _ => "the answer was not understood".to_owned(),
        };
        Self { service, how }
    }
}
