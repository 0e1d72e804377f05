//! HTTP events as the gateway sends them (REST proxy, payload 1.0), and the answers that it
//! accepts. A field that an event lacks is empty, never a failure to read the event.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// One request.
#[derive(Debug, Clone)]
pub struct HttpEvent(Value);

impl HttpEvent {
    /// Wraps an event.
    pub fn new(event: Value) -> Self {
        Self(event)
    }

    /// The method and the route's resource, such as `GET` and `/items`.
    pub fn route(&self) -> (&str, &str) {
        (self.text("/httpMethod"), self.text("/resource"))
    }

    /// The path without the stage.
    pub fn path(&self) -> &str {
        self.text("/path")
    }

    /// The method's ARN, in an authorizer's event.
    pub fn method_arn(&self) -> &str {
        self.text("/methodArn")
    }

    /// A header; names are case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        let single = self.0.get("headers").and_then(Value::as_object).and_then(|headers| find(headers, name)).and_then(Value::as_str);
        let several = || self.0.get("multiValueHeaders").and_then(Value::as_object).and_then(|headers| find(headers, name));
        single.or_else(|| several()?.as_array()?.last()?.as_str())
    }

    /// The token of `Authorization: Bearer <token>`.
    pub fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.trim().split_once(' ')?;
        (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
    }

    /// A path parameter that is not empty.
    pub fn path_parameter(&self, name: &str) -> Option<&str> {
        self.0.get("pathParameters")?.get(name)?.as_str().filter(|value| !value.is_empty())
    }

    /// A parameter of the query that is not empty; the last one of several with the same name.
    pub fn query_parameter(&self, name: &str) -> Option<&str> {
        self.0.get("queryStringParameters")?.get(name)?.as_str().filter(|value| !value.is_empty())
    }

    /// The body as JSON; `None` if there is no body or it is not JSON.
    pub fn json_body(&self) -> Option<Value> {
        let body = self.0.get("body")?.as_str()?;
        if self.0.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false) {
            serde_json::from_slice(&STANDARD.decode(body).ok()?).ok()
        } else {
            serde_json::from_str(body).ok()
        }
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

fn find<'a>(headers: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// An answer with a JSON body.
pub fn answer(status: u16, body: &Value) -> Value {
    json!({"statusCode": status, "headers": {"Content-Type": "application/json"}, "body": body.to_string(), "isBase64Encoded": false})
}

/// An answer that only contains a message.
pub fn message(status: u16, text: &str) -> Value {
    answer(status, &json!({"message": text}))
}

/// The answer while a dependency fails: 503, with a retry after a second.
pub fn unavailable() -> Value {
    let body = json!({"message": "Service Unavailable"}).to_string();
    json!({"statusCode": 503, "headers": {"Content-Type": "application/json", "Retry-After": "1"}, "body": body, "isBase64Encoded": false})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_are_read_in_any_case() {
        for name in ["Authorization", "authorization", "AUTHORIZATION"] {
            let event = HttpEvent::new(json!({"headers": {name: "bearer  abc "}}));
            assert_eq!(event.bearer_token(), Some("abc"), "{name}");
            let event = HttpEvent::new(json!({"headers": null, "multiValueHeaders": {name: ["Bearer abc"]}}));
            assert_eq!(event.bearer_token(), Some("abc"), "{name}, several values");
        }
    }

    #[test]
    fn an_authorization_without_a_bearer_token_has_no_token() {
        for value in ["", "Bearer", "Bearer ", "abc", "Basic abc"] {
            assert_eq!(HttpEvent::new(json!({"headers": {"Authorization": value}})).bearer_token(), None, "{value}");
        }
    }

    #[test]
    fn a_body_in_base64_is_read_like_a_plain_one() {
        let plain = HttpEvent::new(json!({"body": "{\"a\":1}", "isBase64Encoded": false}));
        let encoded = HttpEvent::new(json!({"body": "eyJhIjoxfQ==", "isBase64Encoded": true}));
        assert_eq!(plain.json_body(), Some(json!({"a": 1})));
        assert_eq!(encoded.json_body(), plain.json_body());
    }

    #[test]
    fn an_empty_event_has_no_fields() {
        for event in [json!({}), json!(null), json!([1]), json!({"headers": 5, "body": 7, "pathParameters": "x"})] {
            let event = HttpEvent::new(event);
            assert_eq!(event.route(), ("", ""));
            assert!(event.header("a").is_none() && event.json_body().is_none() && event.path_parameter("a").is_none());
            assert!(event.query_parameter("a").is_none());
        }
    }

    #[test]
    fn an_outage_asks_for_a_retry() {
        assert_eq!(unavailable()["headers"]["Retry-After"], "1");
        assert_eq!(unavailable()["statusCode"], 503);
    }
}
