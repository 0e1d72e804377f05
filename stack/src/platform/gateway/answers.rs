//! The gateway's own answers, and the answer for a function's result. The texts are the gateway's,
//! letter by letter.

use base64::Engine;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::platform::http::{self, Piece};

/// An answer that did not come from a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No API has that stage.
    NoStage,
    /// No route has that method.
    NoRoute,
    /// No key or a wrong one.
    NoKey,
    /// An identity source is missing.
    Unauthorized,
    /// The policy says nothing about the method.
    ImplicitDeny,
    /// The policy denies the method.
    ExplicitDeny,
    /// The authorizer failed, timed out, was throttled or returned no policy.
    AuthorizerFailed,
    /// The body is larger than the gateway accepts.
    TooLarge,
    /// The function failed, or its result is not a valid answer.
    BadGateway,
    /// The function was throttled.
    Throttled,
    /// The function took longer than the gateway waits.
    TimedOut,
}

impl Refusal {
    /// The answer.
    pub(crate) fn response(self) -> Response<Piece> {
        let (status, kind, body) = match self {
            Self::NoStage | Self::NoKey => (403, "ForbiddenException", r#"{"message":"Forbidden"}"#),
            Self::NoRoute => (403, "MissingAuthenticationTokenException", r#"{"message":"Missing Authentication Token"}"#),
            Self::Unauthorized => (401, "UnauthorizedException", r#"{"message":"Unauthorized"}"#),
            Self::ImplicitDeny => (403, "AccessDeniedException", r#"{"Message":"User is not authorized to access this resource"}"#),
            Self::ExplicitDeny => {
                (403, "AccessDeniedException", r#"{"Message":"User is not authorized to access this resource with an explicit deny"}"#)
            }
            Self::AuthorizerFailed => (500, "AuthorizerConfigurationException", r#"{"message":null}"#),
            Self::TooLarge => (413, "RequestTooLargeException", r#"{"message":"Request Too Long"}"#),
            Self::BadGateway => (502, "InternalServerErrorException", r#"{"message":"Internal server error"}"#),
            Self::Throttled => (500, "InternalServerErrorException", r#"{"message":"Internal server error"}"#),
            Self::TimedOut => (504, "InternalServerErrorException", r#"{"message":"Endpoint request timed out"}"#),
        };
        let mut response = http::json(status, Bytes::from_static(body.as_bytes()));
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
        response
    }
}

/// The answer for a function's result; `None` if the result is not a valid answer.
pub(crate) fn from_result(payload: &[u8]) -> Option<Response<Piece>> {
    let Value::Object(mut result) = serde_json::from_slice(payload).ok()? else { return None };
    let status = match result.get("statusCode")? {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok().filter(|status| status.as_u16() >= 200)?;
    let body = match result.get_mut("body").map(Value::take) {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if result.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            Bytes::from(base64::engine::general_purpose::STANDARD.decode(text).ok()?)
        }
        Some(Value::String(text)) => Bytes::from(text),
        Some(_) => return None,
    };
    let mut response = Response::new(Piece::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    put_headers(headers, object(result.get("multiValueHeaders"))?, object(result.get("headers"))?)?;
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Some(response)
}

fn object(value: Option<&Value>) -> Option<Option<&Map<String, Value>>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::Object(object)) => Some(Some(object)),
        Some(_) => None,
    }
}

fn put_headers(headers: &mut HeaderMap, multi: Option<&Map<String, Value>>, single: Option<&Map<String, Value>>) -> Option<()> {
    for (name, values) in multi.into_iter().flatten() {
        for value in values.as_array()? {
            headers.append(header_name(name)?, header_value(value)?);
        }
    }
    for (name, value) in single.into_iter().flatten() {
        let (name, value) = (header_name(name)?, header_value(value)?);
        // A value that is in both lists is sent once.
        if !headers.get_all(&name).iter().any(|other| *other == value) {
            headers.append(name, value);
        }
    }
    Some(())
}

/// The gateway reserves these names and renames the function's own headers.
fn header_name(name: &str) -> Option<HeaderName> {
    let name = name.to_ascii_lowercase();
    let own = matches!(
        name.as_str(),
        "connection" | "content-length" | "date" | "server" | "transfer-encoding" | "upgrade" | "keep-alive" | "www-authenticate"
    );
    let name = if own { format!("x-amzn-remapped-{name}") } else { name };
    HeaderName::try_from(name).ok()
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::try_from(text).ok(),
        Value::Number(_) | Value::Bool(_) => HeaderValue::try_from(value.to_string()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_result_becomes_an_answer_only_if_it_is_valid() {
        for (result, status) in [
            (json!({ "statusCode": 200, "body": "x" }), Some(200)),
            (json!({ "statusCode": "404" }), Some(404)),
            (json!({ "statusCode": 200, "headers": null, "multiValueHeaders": {} }), Some(200)),
            (json!({ "body": "x" }), None),
            (json!({ "statusCode": 200, "body": { "a": 1 } }), None),
            (json!({ "statusCode": 99 }), None),
            (json!({ "statusCode": 200, "headers": { "a b": "c" } }), None),
            (json!({ "statusCode": 200, "body": "?", "isBase64Encoded": true }), None),
            (json!("text"), None),
            (json!(null), None),
        ] {
            let response = from_result(result.to_string().as_bytes());
            assert_eq!(response.map(|response| response.status().as_u16()), status, "{result}");
        }
    }

    #[test]
    fn headers_of_both_lists_are_sent_and_the_gateways_own_are_renamed() {
        let result = json!({
            "statusCode": 200,
            "headers": { "Retry-After": 1, "Content-Length": "7", "a": "1" },
            "multiValueHeaders": { "A": ["1", "2"] },
        });
        let response = from_result(result.to_string().as_bytes()).unwrap();
        let headers = response.headers();
        assert_eq!(headers["retry-after"], "1");
        assert_eq!(headers["x-amzn-remapped-content-length"], "7");
        assert_eq!(headers.get_all("a").iter().count(), 2);
        assert_eq!(headers["content-type"], "application/json");
    }
}
