//! A failed call, and what it means for the caller.

use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};

use crate::secret::Variables;

/// What a failed call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// 409, 412, 429, 5xx, or no answer: it may have been carried out or not. Look, and try again.
    Again,
    /// The resource does not exist.
    Missing,
    /// Trying again would not help.
    Final,
}

/// A call that failed. It contains no value of a variable: Lambda's own message quotes all of them
/// when they are over 4 KB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{call}` of `{of}` failed with `{code}`: {message}")]
pub struct CallError {
    /// The operation, such as `UpdateFunctionConfiguration`.
    pub call: &'static str,
    /// The function or parameter.
    pub of: String,
    /// The exception's name, or how the connection failed.
    pub code: String,
    /// AWS's message, cut where it begins to quote variables.
    pub message: String,
    /// What it means.
    pub meaning: Meaning,
}

impl CallError {
    /// Converts an SDK error; `hidden` are values that must not be in it.
    pub fn read<E>(call: &'static str, of: &str, error: &SdkError<E, HttpResponse>, hidden: &Variables) -> Self
    where
        E: ProvideErrorMetadata,
    {
        let (code, message, meaning) = match error {
            SdkError::ServiceError(service) => {
                let (status, code) = (service.raw().status().as_u16(), service.err().code().unwrap_or("unknown").to_owned());
                let message = service.err().message().unwrap_or("no message was given");
                let meaning = meaning(status, &code);
                (code, message.to_owned(), meaning)
            }
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                ("not sent".to_owned(), said(failure.as_connector_error()), Meaning::Final)
            }
            SdkError::DispatchFailure(failure) => ("no answer".to_owned(), said(failure.as_connector_error()), Meaning::Again),
            SdkError::TimeoutError(_) => ("no answer".to_owned(), "it took too long".to_owned(), Meaning::Again),
            SdkError::ResponseError(_) => ("not understood".to_owned(), "the answer is not one of AWS's".to_owned(), Meaning::Again),
            _ => ("not sent".to_owned(), "the request could not be made".to_owned(), Meaning::Final),
        };
        let message = message.split(['{', '\n']).next().unwrap_or_default();
        let message = message.split("String measured").next().unwrap_or_default();
        Self { call, of: of.to_owned(), code, message: hidden.hide_in(message).trim_end_matches(['.', ' ']).to_owned(), meaning }
    }
}

impl CallError {
    /// The error for a request that cannot be built.
    pub(crate) fn unsendable(call: &'static str, of: &str, why: &dyn std::error::Error) -> Self {
        Self { call, of: of.to_owned(), code: "not sent".to_owned(), message: why.to_string(), meaning: Meaning::Final }
    }

    /// The error for an answer that is not what the operation answers.
    pub(crate) fn not_understood(call: &'static str, of: &str) -> Self {
        let (code, message) = ("not understood".to_owned(), "the answer is not one of AWS's".to_owned());
        Self { call, of: of.to_owned(), code, message, meaning: Meaning::Again }
    }

    /// The error for an answer that was cut short.
    pub(crate) fn cut_short(call: &'static str, of: &str) -> Self {
        let (code, message) = ("no answer".to_owned(), "the answer ended too early".to_owned());
        Self { call, of: of.to_owned(), code, message, meaning: Meaning::Again }
    }

    /// Whether the thing that the call is about does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        self.meaning == Meaning::Missing || self.code == "UserNotFoundException"
    }

    /// Whether the call was not carried out because there were too many.
    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self.code.as_str(), "ThrottlingException" | "Throttling" | "TooManyRequestsException")
    }

    /// Whether the same call may succeed later. If another user created the parameter first, the
    /// next read finds it.
    pub(crate) fn may_pass(&self) -> bool {
        self.meaning == Meaning::Again || self.code == "ParameterAlreadyExists"
    }
}

fn said(error: Option<&impl std::error::Error>) -> String {
    let cause = error.and_then(std::error::Error::source);
    cause.map_or_else(|| "the connection failed".to_owned(), ToString::to_string)
}

fn meaning(status: u16, code: &str) -> Meaning {
    match (status, code) {
        (404, _) | (_, "ResourceNotFoundException" | "ParameterNotFound") => Meaning::Missing,
        // Some services return `Throttling` and similar errors as 400.
        (409 | 412 | 429 | 500.., _) | (_, "ThrottlingException" | "Throttling" | "TooManyUpdates" | "InternalServerError") => {
            Meaning::Again
        }
        _ => Meaning::Final,
    }
}
