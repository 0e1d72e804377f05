//! A service's call and its answer, independent of the socket.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::HeaderMap;
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::described::Described;
use super::shows::Shows;

/// DynamoDB accepts requests of 16 MB, the others less.
pub const LARGEST_REQUEST: usize = 16 * 1024 * 1024;

/// One of the cloud services.
#[async_trait]
pub trait Service: Send + Sync {
    /// The description of this service.
    fn described(&self) -> &'static Described;

    /// Carries `call` out.
    async fn answer(&self, call: &Call) -> Answer;

    /// What it shows on the page; `None` if that is nothing.
    fn shows(&self) -> Option<&dyn Shows> {
        None
    }

    /// The most bytes of a request.
    fn largest_request(&self) -> usize {
        LARGEST_REQUEST
    }

    /// The value of `x-amzn-query-error` for an error, for SDKs that know its name in an older
    /// protocol.
    fn query_error(&self, _error_type: &str, _status: u16) -> Option<String> {
        None
    }
}

/// A call of one operation.
#[derive(Debug, Clone)]
pub struct Call {
    /// The operation, such as `GetItem`.
    pub operation: String,
    /// The service's id of this call.
    pub request_id: String,
    /// The root of the trace id, if the caller sent one.
    pub root: Option<String>,
    /// The function that made it, if it is known: see [`function`].
    pub function: Option<String>,
    /// Which delivery of its request the function works on; 0 if it is not known.
    pub delivery: u32,
    /// The path, still percent-encoded, if the operation is recognised by it.
    pub path: String,
    /// The body.
    pub body: Bytes,
}

/// The answer to a call.
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

/// The content type of the JSON protocol 1.0: DynamoDB, Verified Permissions, SQS, CloudWatch and Step Functions.
pub const JSON_1_0: &str = "application/x-amz-json-1.0";
/// The content type of the JSON protocol 1.1: Cognito, Kinesis, parameters, secrets, keys and logs.
pub const JSON_1_1: &str = "application/x-amz-json-1.1";
/// The content type of REST services: IoT data.
pub const REST_JSON: &str = "application/json";
/// The content type of the query protocol's answers: SNS.
pub const QUERY_XML: &str = "text/xml";

impl Answer {
    /// A success.
    pub fn ok(content_type: &'static str, body: &Value) -> Self {
        Self { status: 200, content_type, error_type: None, body: Bytes::from(body.to_string()) }
    }

    /// An error in the form of the service's protocol: the JSON protocols name the exception in
    /// `__type`, REST in the header only, the query protocol in its XML.
    pub fn error(content_type: &'static str, status: u16, error_type: &str, message: &str) -> Self {
        let body = match content_type {
            REST_JSON => json!({"message": message}).to_string(),
            QUERY_XML => query_failure(status, error_type, message),
            _ => json!({"__type": error_type, "message": message}).to_string(),
        };
        Self { status, content_type, error_type: Some(error_type.to_owned()), body: body.into() }
    }
}

/// Why a call is refused: the exception, and its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub &'static str, pub String);

impl Refused {
    /// An exception.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self(kind, message.into())
    }
}

/// The answer of a JSON protocol to a call whose body `act` reads.
pub fn json_answer(content_type: &'static str, call: &Call, act: impl FnOnce(&Value) -> Result<Value, Refused>) -> Answer {
    let body: Value = if call.body.is_empty() { json!({}) } else { serde_json::from_slice(&call.body).unwrap_or_default() };
    if !body.is_object() {
        return Answer::error(content_type, 400, "SerializationException", "the body is no JSON object");
    }
    match act(&body) {
        Ok(answer) => Answer::ok(content_type, &answer),
        Err(Refused(kind, message)) => Answer::error(content_type, 400, kind, &message),
    }
}

/// The refusal of an operation that a service does not have on this machine.
pub fn no_such_operation(operation: &str) -> Refused {
    Refused("UnknownOperationException", format!("this machine has no `{operation}`"))
}

/// A part of a request in its form.
///
/// # Errors
/// If it does not have the form.
pub fn parsed<T: DeserializeOwned>(body: &Value) -> Result<T, Refused> {
    T::deserialize(body).map_err(|why| Refused("SerializationException", why.to_string()))
}

fn query_failure(status: u16, code: &str, message: &str) -> String {
    let whose = if status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (escape(code), escape(message));
    format!("<ErrorResponse><Error><Type>{whose}</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}

/// The fields of a form, as the query protocol sends them. Of two with the same name the last
/// counts.
pub fn form(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// Bytes in hexadecimal, two digits each.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A new request id. It need not be secret, only unique in this process.
pub fn request_id() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let n = LAST.fetch_add(1, Ordering::Relaxed);
    format!("b0b0b0b0-0000-4000-8000-{n:012x}")
}

/// The root of the trace id, if the caller sent one.
pub fn trace_root(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).and_then(faults::trace_root).map(str::to_owned)
}

/// Which delivery of its request the caller works on, from 1; 0 if it is not known.
pub fn delivery(headers: &HeaderMap) -> u32 {
    headers.get("x-amzn-trace-id").and_then(|value| value.to_str().ok()).map_or(0, faults::identity::delivery)
}

/// The function that made the call, which a stack that follows requests gives its name as a session
/// token: all SDKs send that with each call.
pub fn function(headers: &HeaderMap) -> Option<String> {
    headers.get("x-amz-security-token").and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// Turns `%41` into `A`; what is not such a triple stays unchanged.
pub fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
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

    #[test]
    fn an_error_has_the_form_of_its_protocol() {
        for (content_type, body) in [
            (JSON_1_0, r#"{"__type":"Not<Found","message":"a&b"}"#),
            (REST_JSON, r#"{"message":"a&b"}"#),
            (
                QUERY_XML,
                "<ErrorResponse><Error><Type>Sender</Type><Code>Not&lt;Found</Code><Message>a&amp;b</Message></Error></ErrorResponse>",
            ),
        ] {
            let answer = Answer::error(content_type, 404, "Not<Found", "a&b");
            assert_eq!((answer.status, answer.error_type.as_deref()), (404, Some("Not<Found")));
            assert_eq!(answer.body, body, "{content_type}");
        }
    }

    #[test]
    fn forms_and_digests_are_written_as_aws_writes_them() {
        let fields = form(b"Action=Publish&Message=a+b%26%E2%82%AC%0A&Empty=");
        assert_eq!((fields["Message"].as_str(), fields["Empty"].as_str()), ("a b&\u{20ac}\n", ""));
        assert_eq!(hexadecimal(&[0, 171, 255]), "00abff");
    }
}
