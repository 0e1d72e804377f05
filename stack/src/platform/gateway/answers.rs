//! The answer for a function's result. What is not a valid answer is `None`.

use base64::Engine;
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value};
use template::apis::Payload;

use super::call::{Call, is_any_of, media_type};
use super::routes::Front;
use crate::platform::http::{self, Piece};

/// The answer for a function's result.
pub(crate) fn from_result(call: &Call<'_>, payload: Payload, result: Bytes) -> Option<Response<Piece>> {
    let parsed: Value = serde_json::from_slice(&result).ok()?;
    match (payload, parsed) {
        (_, Value::Object(object)) if object.contains_key("statusCode") => declared(call, payload, object),
        (Payload::V1, _) => None,
        // Payload 2.0: without `statusCode` the result is the body. Source: "Create AWS Lambda proxy
        // integrations for HTTP APIs", "Lambda function response for format 2.0".
        (Payload::V2, Value::String(text)) => Some(http::json(200, text)),
        (Payload::V2, _) => Some(http::json(200, result)),
    }
}

fn declared(call: &Call<'_>, payload: Payload, mut result: Map<String, Value>) -> Option<Response<Piece>> {
    let status = status(result.get("statusCode")?)?;
    let body = match result.get_mut("body").map(Value::take) {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) if result.get("isBase64Encoded") == Some(&Value::Bool(true)) && decodes(call) => {
            Bytes::from(base64::engine::general_purpose::STANDARD.decode(text).ok()?)
        }
        Some(Value::String(text)) => Bytes::from(text),
        // HTTP APIs and URLs write a body that is an object as JSON.
        Some(other) if payload == Payload::V2 => Bytes::from(other.to_string()),
        Some(_) => return None,
    };
    let mut response = Response::new(Piece::from(body));
    *response.status_mut() = status;
    put_headers(call.front, response.headers_mut(), &result, payload)?;
    Some(response)
}

/// The status and the headers of a streamed answer's prelude. Source: "Set up a Lambda proxy
/// integration with payload response streaming": `statusCode`, `headers`, `multiValueHeaders`, `cookies`.
pub(crate) fn prelude(front: Front, prelude: &Map<String, Value>, response: &mut Response<Piece>) -> Option<()> {
    *response.status_mut() = prelude.get("statusCode").map_or(Some(StatusCode::OK), status)?;
    let headers = response.headers_mut();
    put_headers(front, headers, prelude, Payload::V1)?;
    put_cookies(headers, prelude)
}

fn status(value: &Value) -> Option<StatusCode> {
    let status = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    StatusCode::from_u16(u16::try_from(status).ok()?).ok().filter(|status| status.as_u16() >= 200)
}

/// Whether base64 is decoded for this caller: REST APIs do if the first type of `Accept` is one of
/// `BinaryMediaTypes`, HTTP APIs and URLs always. Source: "Content type conversions in API Gateway".
fn decodes(call: &Call<'_>) -> bool {
    let accept = || call.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    call.front != Front::Rest || (!call.api.binary.is_empty() && is_any_of(&call.api.binary, media_type(accept())))
}

fn put_headers(front: Front, headers: &mut HeaderMap, result: &Map<String, Value>, payload: Payload) -> Option<()> {
    let multi = if payload == Payload::V1 { object(result.get("multiValueHeaders"))? } else { None };
    for (name, values) in multi.into_iter().flatten() {
        for value in values.as_array()? {
            put(front, headers, name, value)?;
        }
    }
    for (name, value) in object(result.get("headers"))?.into_iter().flatten() {
        put(front, headers, name, value)?;
    }
    if payload == Payload::V2 {
        put_cookies(headers, result)?;
    }
    if !headers.contains_key(CONTENT_TYPE) {
        // Source: github.com/aws/aws-lambda-dotnet, the test tool's answers.
        let default = if front == Front::Http { "text/plain; charset=utf-8" } else { "application/json" };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(default));
    }
    Some(())
}

fn put_cookies(headers: &mut HeaderMap, result: &Map<String, Value>) -> Option<()> {
    match result.get("cookies") {
        None | Some(Value::Null) => {}
        Some(cookies) => {
            for cookie in cookies.as_array()? {
                headers.append(SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
            }
        }
    }
    Some(())
}

fn object(value: Option<&Value>) -> Option<Option<&Map<String, Value>>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::Object(object)) => Some(Some(object)),
        Some(_) => None,
    }
}

/// Adds a header; a value that is in both lists is sent once. REST APIs rename the headers that are
/// theirs, the others drop them. Source: "Amazon API Gateway important notes".
fn put(front: Front, headers: &mut HeaderMap, name: &str, value: &Value) -> Option<()> {
    let name = name.to_ascii_lowercase();
    let own = matches!(
        name.as_str(),
        "connection" | "content-length" | "date" | "server" | "transfer-encoding" | "upgrade" | "keep-alive" | "www-authenticate"
    );
    let name = match (own, front) {
        (false, _) => name,
        (true, Front::Rest) => format!("x-amzn-remapped-{name}"),
        (true, Front::Http | Front::Url) if name == "www-authenticate" => name,
        (true, Front::Http | Front::Url) => return Some(()),
    };
    let name = HeaderName::try_from(name).ok()?;
    let value = match value {
        Value::String(text) => HeaderValue::try_from(text).ok()?,
        Value::Number(_) | Value::Bool(_) => HeaderValue::try_from(value.to_string()).ok()?,
        _ => return None,
    };
    if !headers.get_all(&name).iter().any(|other| *other == value) {
        headers.append(name, value);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::sample::with_call;
    use super::*;
    use serde_json::json;

    fn answer(front: Front, payload: Payload, result: &Value) -> Option<Response<Piece>> {
        with_call(front, &[("accept", "image/png")], |call| from_result(call, payload, Bytes::from(result.to_string())))
    }

    async fn text(response: Response<Piece>) -> String {
        let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_result_of_payload_1_becomes_an_answer_only_if_it_is_valid() {
        for (result, status) in [
            (json!({ "statusCode": 200, "body": "x" }), Some(200)),
            (json!({ "statusCode": "404" }), Some(404)),
            (json!({ "statusCode": 200, "headers": null, "multiValueHeaders": {} }), Some(200)),
            (json!({ "body": "x" }), None),
            (json!({ "statusCode": 200, "body": { "a": 1 } }), None),
            (json!({ "statusCode": 99 }), None),
            (json!({ "statusCode": 200, "headers": { "a b": "c" } }), None),
            (json!({ "statusCode": 200, "headers": { "a": ["c"] } }), None),
            (json!({ "statusCode": 200, "headers": [] }), None),
            (json!("text"), None),
            (json!(null), None),
        ] {
            for front in [Front::Rest, Front::Http] {
                let response = answer(front, Payload::V1, &result);
                assert_eq!(response.map(|response| response.status().as_u16()), status, "{front:?} {result}");
            }
        }
        let broken = json!({ "statusCode": 200, "body": "?", "isBase64Encoded": true });
        assert!(answer(Front::Http, Payload::V1, &broken).is_none());
    }

    #[tokio::test]
    async fn payload_2_infers_what_the_result_does_not_say() {
        for (result, status, content_type, body) in [
            (json!("Hello from Lambda!"), 200, "application/json", "Hello from Lambda!"),
            (json!({ "message": "Hello" }), 200, "application/json", r#"{"message":"Hello"}"#),
            (json!([1, 2]), 200, "application/json", "[1,2]"),
            (json!({ "statusCode": 201, "body": "x" }), 201, "text/plain; charset=utf-8", "x"),
            (json!({ "statusCode": 200, "headers": { "Content-Type": "text/html" }, "body": "x" }), 200, "text/html", "x"),
            (json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }), 200, "text/plain; charset=utf-8", "hi"),
        ] {
            let response = answer(Front::Http, Payload::V2, &result).unwrap();
            assert_eq!(
                (response.status().as_u16(), response.headers()[CONTENT_TYPE].to_str().unwrap()),
                (status, content_type),
                "{result}"
            );
            assert_eq!(text(response).await, body, "{result}");
        }
        let cookies = json!({ "statusCode": 200, "cookies": ["a=1; Path=/", "b=2"] });
        let response = answer(Front::Url, Payload::V2, &cookies).unwrap();
        assert_eq!(response.headers().get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["a=1; Path=/", "b=2"]);
        assert!(answer(Front::Url, Payload::V2, &json!({ "statusCode": 200, "cookies": "a" })).is_none());
    }

    #[tokio::test]
    async fn a_rest_api_decodes_base64_only_for_who_accepts_a_binary_type() {
        let result = Bytes::from(json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }).to_string());
        for (binary, accept, body) in [
            (vec![], "image/png", "aGk="),
            (vec!["image/*"], "image/png", "hi"),
            (vec!["image/png"], "image/png, */*", "hi"),
            (vec!["image/png"], "*/*", "aGk="),
            (vec!["*/*"], "text/html", "hi"),
        ] {
            let response = super::super::sample::with_binary(&binary, accept, |call| from_result(call, Payload::V1, result.clone()));
            assert_eq!(text(response.unwrap()).await, body, "{binary:?} {accept}");
        }
    }

    #[test]
    fn headers_of_both_lists_are_sent_and_a_rest_apis_own_are_renamed() {
        let result = json!({
            "statusCode": 200,
            "headers": { "Retry-After": 1, "Content-Length": "7", "a": "1" },
            "multiValueHeaders": { "A": ["1", "2"], "Set-Cookie": ["x=1", "y=2"] },
        });
        let response = answer(Front::Rest, Payload::V1, &result).unwrap();
        let headers = response.headers();
        assert_eq!(headers["retry-after"], "1");
        assert_eq!(headers["x-amzn-remapped-content-length"], "7");
        assert_eq!(headers.get_all("a").iter().count(), 2);
        assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(headers["content-type"], "application/json");
        assert!(answer(Front::Http, Payload::V1, &result).unwrap().headers().keys().all(|name| !name.as_str().contains("length")));
    }
}
