//! What invokes a function. What a fault means depends on it.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::json::said;
use crate::places::Places;

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

    /// Its usual name.
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

/// The members of an event of API Gateway (REST proxy, HTTP API 1.0) or a load balancer; an authorizer's has others.
const PROXY: [&str; 13] = [
    "version",
    "resource",
    "path",
    "httpMethod",
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "pathParameters",
    "stageVariables",
    "requestContext",
    "body",
    "isBase64Encoded",
];
/// The members of an event of an HTTP API 2.0 or a function URL.
const PROXY_2: [&str; 12] = [
    "version",
    "routeKey",
    "rawPath",
    "rawQueryString",
    "cookies",
    "headers",
    "queryStringParameters",
    "requestContext",
    "body",
    "pathParameters",
    "stageVariables",
    "isBase64Encoded",
];
const RECORDS: &str = "/Records/~*";
const RECORD_SOURCES: [&str; 2] = ["/Records/~*/eventSource", "/Records/~*/EventSource"];

impl Trigger {
    /// What invoked the function, as the event shows, if it is a trigger that does not decide about
    /// access: the answer to a batch or a notification, or a status of 400 and more to an HTTP
    /// request, grants no access. `None` for every other event, and for events that some parsers
    /// could read as another trigger's.
    pub fn told_by(event: &[u8]) -> Option<Self> {
        static PLACES: LazyLock<Places> = LazyLock::new(|| {
            let places = ["/httpMethod", "/path", "/version", "/rawPath", "/requestContext/http/method", RECORDS];
            Places::of(places.into_iter().chain(RECORD_SOURCES).map(|place| vec![place.to_owned()])).with_names()
        });
        let facts = PLACES.read(event, true)?;
        let names: HashSet<&str> = facts.names().iter().map(AsRef::as_ref).collect();
        let are_of = |known: &[&str]| names.len() == facts.names().len() && names.iter().all(|name| known.contains(name));
        let has = |places: &[&str]| places.iter().all(|place| facts.text(place).is_some());
        if are_of(&["Records"]) {
            return of_records(&facts);
        }
        let is_proxy = are_of(&PROXY) && names.contains("requestContext") && has(&["/httpMethod", "/path"]);
        let is_proxy_2 = are_of(&PROXY_2) && has(&["/rawPath", "/requestContext/http/method"]) && facts.text("/version")? == "2.0";
        (is_proxy || is_proxy_2).then_some(Self::Http)
    }
}

/// The trigger of a batch whose records all come from one service.
fn of_records(facts: &Facts<'_>) -> Option<Trigger> {
    let sources: Vec<_> = RECORD_SOURCES.into_iter().flat_map(|place| facts.raw(place)).collect();
    let first = *sources.first()?;
    if sources.len() != facts.raw(RECORDS).count() || sources.iter().any(|source| *source != first) {
        return None;
    }
    match said(first)?.as_ref() {
        "aws:sqs" => Some(Trigger::Queue),
        "aws:dynamodb" => Some(Trigger::TableStream),
        "aws:s3" | "aws:sns" => Some(Trigger::Asynchronous),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_shows_its_trigger_if_that_does_not_decide_about_access() {
        for (event, trigger) in [
            (
                r#"{"resource":"/a","path":"/a","httpMethod":"GET","headers":null,"requestContext":{},"body":null,"isBase64Encoded":false}"#,
                Some(Trigger::Http),
            ),
            (
                r#"{"version":"2.0","routeKey":"$default","rawPath":"/a","headers":{},"requestContext":{"http":{"method":"GET"}}}"#,
                Some(Trigger::Http),
            ),
            (r#"{"Records":[{"messageId":"1","eventSource":"aws:sqs"},{"eventSource":"aws:sqs"}]}"#, Some(Trigger::Queue)),
            (r#"{"Records":[{"eventSource":"aws:dynamodb"}]}"#, Some(Trigger::TableStream)),
            (r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#, Some(Trigger::Asynchronous)),
            (r#"{"Records":[{"eventSource":"aws:s3"}]}"#, Some(Trigger::Asynchronous)),
            // Authorizers, and everything else that decides about access or might.
            (r#"{"type":"REQUEST","methodArn":"a","resource":"/a","path":"/a","httpMethod":"GET","requestContext":{}}"#, None),
            (r#"{"type":"TOKEN","methodArn":"a","authorizationToken":"t"}"#, None),
            (
                r#"{"version":"2.0","type":"REQUEST","routeArn":"a","identitySource":[],"rawPath":"/a","requestContext":{"http":{"method":"GET"}}}"#,
                None,
            ),
            (r#"{"version":"2.0","rawPath":"/a","requestContext":{"http":{}}}"#, None),
            (r#"{"requestContext":{"eventType":"CONNECT","connectionId":"c"},"headers":{},"isBase64Encoded":false}"#, None),
            (r#"{"version":"1","triggerSource":"PreSignUp_SignUp","request":{},"response":{}}"#, None),
            (r#"{"username":"u","password":"p","protocol":"SFTP","serverId":"s","sourceIp":"1"}"#, None),
            (r#"{"Records":[{"eventSource":"aws:ses"}]}"#, None),
            (r#"{"Records":[{"eventSource":"aws:sqs"},{"eventSource":"aws:s3"}]}"#, None),
            (r#"{"Records":[{"eventSource":"aws:sqs"},{}]}"#, None),
            (r#"{"Records":[{"eventSource":"aws:sqs"}],"also":1}"#, None),
            (r#"{"Records":[{"eventSource":"aws:sqs"}],"Records":[]}"#, None),
            (r#"{"Records":[]}"#, None),
            (r#"{"httpMethod":"GET","path":"/a","requestContext":{},"path":"/b"}"#, None),
            (r#"{"httpMethod":"GET","path":"/a"}"#, None),
            (r#"{"body":"b"}"#, None),
            ("[]", None),
            ("not json", None),
        ] {
            assert_eq!(Trigger::told_by(event.as_bytes()), trigger, "{event}");
        }
    }
}
