//! Requests and answers, without a socket.

use serde_json::{Value, json};

use crate::query;

/// One call as it came.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `GET`, `PUT`, `POST` or `DELETE`.
    pub method: &'a str,
    /// The path, percent-encoded as it came.
    pub path: &'a str,
    /// The part after `?`; may be empty.
    pub query: &'a str,
    /// The header `x-amz-target`, which names the operation of SSM's calls.
    pub target: Option<&'a str>,
    /// The header `x-amzn-principal`, which names the certificate in AWS IoT's calls.
    pub principal: Option<&'a str>,
    /// The id of the access key that signed it.
    pub caller: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// One value of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The operation of a call in the query protocol.
    pub fn action(&self) -> Option<String> {
        if self.target.is_none() && self.method == "POST" && self.path == "/" { self.form("Action") } else { None }
    }

    /// One value of a body that is a form.
    pub fn form(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The body as JSON; an empty or unreadable one is `null`, which no call with required members
    /// accepts.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or(Value::Null)
    }
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The name of the exception, if it is one.
    pub error: Option<&'static str>,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The body as it is sent in the protocol of its request, with its content type.
    pub fn written(&self, request: &Request<'_>) -> (&'static str, String) {
        match (request.action(), self.error) {
            (Some(_), Some(error)) => {
                let message = self.body.get("message").and_then(Value::as_str).unwrap_or_default();
                ("text/xml", query::error(self.status, error, message))
            }
            (Some(operation), None) => ("text/xml", query::response(&operation, &self.body)),
            _ if self.body.is_null() => ("application/json", String::new()),
            _ if request.target.is_some() => ("application/x-amz-json-1.1", self.body.to_string()),
            _ => ("application/json", self.body.to_string()),
        }
    }

    /// A success.
    pub fn ok(status: u16, body: Value) -> Self {
        Self { status, error: None, body }
    }

    /// A refusal with this exception name.
    pub fn refused(status: u16, error: &'static str, message: impl Into<String>) -> Self {
        let who = if status >= 500 { "Service" } else { "User" };
        let message = message.into();
        Self { status, error: Some(error), body: json!({"__type": error, "Type": who, "Message": message, "message": message}) }
    }

    /// 404.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::refused(404, "ResourceNotFoundException", format!("not found: {what}"))
    }

    /// 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::refused(400, "InvalidParameterValueException", message)
    }

    /// 409, while an update is in progress.
    pub fn busy(arn: &str) -> Self {
        let message = format!("The operation cannot be performed at this time. An update is in progress for resource: {arn}");
        Self::refused(409, "ResourceConflictException", message)
    }

    /// 412, if the given revision is not the latest.
    pub fn stale() -> Self {
        let message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id";
        Self::refused(412, "PreconditionFailedException", message)
    }

    /// 429.
    pub fn throttled() -> Self {
        Self::refused(429, "TooManyRequestsException", "Rate exceeded")
    }

    /// 500.
    pub fn internal() -> Self {
        Self::refused(500, "ServiceException", "An error occurred and the request cannot be processed.")
    }
}
