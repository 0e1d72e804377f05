//! What a call and its answer are once they are off the socket; the services know nothing of hyper.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

/// One of the cloud services.
#[async_trait]
pub trait Service: Send + Sync {
    /// Does what `call` asks.
    async fn answer(&self, call: &Call) -> Answer;
}

/// A call of one operation.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, such as `GetItem`.
    pub operation: String,
    /// The service's id of this call.
    pub request_id: String,
    /// The root of the trace id, where the caller sent one.
    pub root: Option<String>,
    /// The path, still percent-encoded, where the operation is told by it.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: &'static str,
    /// `x-amzn-errortype`, for an error.
    pub error_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// The content type of the JSON protocol 1.0: DynamoDB and Verified Permissions.
pub const JSON_1_0: &str = "application/x-amz-json-1.0";
/// The content type of the JSON protocol 1.1: Cognito.
pub const JSON_1_1: &str = "application/x-amz-json-1.1";
/// The content type of REST services: IoT data.
pub const REST_JSON: &str = "application/json";

impl Answer {
    /// A success.
    pub fn ok(content_type: &'static str, body: &Value) -> Self {
        Self { status: 200, content_type, error_type: None, body: Bytes::from(body.to_string()) }
    }

    /// An error in the form that the service's protocol has: the JSON protocols name the exception in `__type`, REST in the header alone.
    pub fn error(content_type: &'static str, status: u16, error_type: &str, message: &str) -> Self {
        let body = if content_type == REST_JSON { json!({"message": message}) } else { json!({"__type": error_type, "message": message}) };
        Self { status, content_type, error_type: Some(error_type.to_owned()), body: Bytes::from(body.to_string()) }
    }
}

/// A new request id. It need not be secret, only unlike any other of this process.
pub fn request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let n = LAST.fetch_add(1, Ordering::Relaxed);
    format!("b0b0b0b0-0000-4000-8000-{n:012x}")
}

/// Turns `%41` into `A`; what is not such a triple stays as it is.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        match code {
            Some(code) if first == b'%' => {
                bytes.push(code);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_triples_are_decoded_and_the_rest_is_left() {
        for (text, decoded) in [("a%3Ab", "a:b"), ("a", "a"), ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%E2%82%AC", "€")] {
            assert_eq!(percent_decoded(text), decoded, "{text}");
        }
    }
}
