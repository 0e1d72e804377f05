//! Payload 1.0: the events of REST APIs, for functions and for authorizers, and those of HTTP APIs
//! that ask for it. It decides nothing. Sources: "Lambda proxy integrations in API Gateway", "Input
//! to an API Gateway Lambda authorizer", "Working with AWS Lambda authorizers for HTTP APIs".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use serde::Serialize;

use super::call::{Call, Multi};
use super::grant::{AuthorizerV1, Grant, ROOT};
use super::routes::{DEFAULT, Front};
use crate::account::ACCESS_KEY;
use crate::platform::names::ACCOUNT;

/// The usual size of an event without its body, in bytes.
const AROUND: usize = 2048;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(flatten)]
    asked: Option<Asked<'a>>,
    resource: &'a str,
    path: Cow<'a, str>,
    http_method: &'a str,
    headers: Single<'a>,
    multi_value_headers: &'a Multi<'a>,
    query_string_parameters: Single<'a>,
    multi_value_query_string_parameters: Option<&'a Multi<'a>>,
    path_parameters: Option<&'a BTreeMap<&'a str, String>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    request_context: Context<'a>,
    #[serde(flatten)]
    body: Option<Body<'a>>,
}

/// What only an authorizer's event has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    method_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_token: Option<&'a str>,
}

/// What only a function's event has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

/// The event of a `TOKEN` authorizer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    method_arn: &'a str,
    authorization_token: &'a str,
}

/// The last value of each name.
struct Single<'a>(Option<&'a Multi<'a>>);

impl Serialize for Single<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_none(),
            Some(all) => serializer.collect_map(all.iter().filter_map(|(name, values)| Some((name, values.last()?)))),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    resource_id: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<AuthorizerV1<'a>>,
    resource_path: &'a str,
    http_method: &'a str,
    extended_request_id: &'a str,
    request_time: String,
    path: Cow<'a, str>,
    account_id: &'static str,
    protocol: &'static str,
    stage: &'a str,
    domain_prefix: &'a str,
    request_time_epoch: u128,
    request_id: &'a str,
    identity: Identity<'a>,
    domain_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployment_id: Option<&'static str>,
    api_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    cognito_identity_pool_id: Option<()>,
    account_id: Option<&'static str>,
    cognito_identity_id: Option<()>,
    caller: Option<&'static str>,
    source_ip: IpAddr,
    principal_org_id: Option<()>,
    access_key: Option<&'static str>,
    cognito_authentication_type: Option<()>,
    cognito_authentication_provider: Option<()>,
    user_arn: Option<&'static str>,
    user_agent: Option<Cow<'a, str>>,
    user: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<&'a str>,
}

/// A function's event.
pub(crate) fn of_function(call: &Call<'_>, grant: &Grant, body: &Bytes) -> Bytes {
    let (body, is_base64_encoded) = call.body(body);
    written(call, grant, None, Some(Body { body, is_base64_encoded }))
}

/// A `REQUEST` authorizer's event.
pub(crate) fn of_authorizer(call: &Call<'_>, method_arn: &str, identity: &[Cow<'_, str>]) -> Bytes {
    let all = identity.join(",");
    let source = (call.front != Front::Rest && !identity.is_empty()).then_some(all.as_str());
    let asked = Asked { kind: "REQUEST", method_arn, identity_source: source, authorization_token: source };
    written(call, &Grant::Open, Some(asked), None)
}

/// A `TOKEN` authorizer's event.
pub(crate) fn of_token(method_arn: &str, token: &str) -> Bytes {
    to_bytes(0, &Token { kind: "TOKEN", method_arn, authorization_token: token })
}

fn written(call: &Call<'_>, grant: &Grant, asked: Option<Asked<'_>>, body: Option<Body<'_>>) -> Bytes {
    let size = body.as_ref().and_then(|body| body.body.as_ref()).map_or(0, |body| body.len());
    let headers = call.all_headers(false);
    let query = call.parameters();
    let none = Multi::new();
    // Where a function's event has `null`, an authorizer's has `{}`.
    let (is_asked, is_rest) = (asked.is_some(), call.front == Front::Rest);
    let query = query.as_ref().or(is_asked.then_some(&none));
    let staged = call.staged_path();
    let event = Event {
        version: (!is_rest).then_some("1.0"),
        asked,
        resource: &call.found.route.resource,
        path: if is_rest { Cow::Borrowed(call.path) } else { Cow::Borrowed(staged.as_ref()) },
        http_method: call.method,
        headers: Single(Some(&headers)),
        multi_value_headers: &headers,
        query_string_parameters: Single(query),
        multi_value_query_string_parameters: query,
        path_parameters: Some(&call.found.parameters).filter(|parameters| is_asked || !parameters.is_empty()),
        stage_variables: Some(&call.api.variables).filter(|variables| is_asked || !variables.is_empty()),
        request_context: context(call, grant, &staged),
        body,
    };
    to_bytes(size, &event)
}

fn context<'a>(call: &'a Call<'_>, grant: &'a Grant, staged: &'a str) -> Context<'a> {
    let is_rest = call.front == Front::Rest;
    let signed = matches!(grant, Grant::Signature);
    Context {
        resource_id: is_rest.then_some("resource"),
        authorizer: grant.v1(call.front),
        resource_path: &call.found.route.resource,
        http_method: call.method,
        extended_request_id: call.request_id,
        request_time: call.access_time(),
        path: Cow::Borrowed(if is_rest && call.api.stage == DEFAULT { call.path } else { staged }),
        account_id: ACCOUNT,
        protocol: "HTTP/1.1",
        stage: &call.api.stage,
        domain_prefix: &call.api.id,
        request_time_epoch: call.time.as_millis(),
        request_id: call.request_id,
        identity: Identity {
            cognito_identity_pool_id: None,
            account_id: signed.then_some(ACCOUNT),
            cognito_identity_id: None,
            caller: signed.then_some(ACCOUNT),
            source_ip: call.peer,
            principal_org_id: None,
            access_key: signed.then_some(ACCESS_KEY),
            cognito_authentication_type: None,
            cognito_authentication_provider: None,
            user_arn: signed.then_some(ROOT),
            user_agent: call.agent(),
            user: signed.then_some(ACCOUNT),
            api_key: call.key.and_then(|key| key.value.as_deref()),
            api_key_id: call.key.map(|key| key.id.as_str()),
        },
        domain_name: call.domain(),
        deployment_id: is_rest.then_some("local"),
        api_id: &call.api.id,
    }
}

/// `body` is the size of the body in the event.
pub(super) fn to_bytes(body: usize, event: &impl Serialize) -> Bytes {
    // A large body is written once, into a buffer with an eighth more room for escapes, so that it
    // is not copied while the buffer grows.
    let mut bytes = Vec::with_capacity(body + body / 8 + AROUND);
    // Text keys and plain values only, so this cannot fail.
    let _ = serde_json::to_writer(&mut bytes, event);
    Bytes::from(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::sample::{with_call, with_nothing};
    use super::*;

    fn read(event: &Bytes) -> Value {
        serde_json::from_slice(event).unwrap()
    }

    #[test]
    fn a_rest_event_has_null_and_an_authorizers_has_empty_objects() {
        let function = read(&with_nothing(Front::Rest, |call| of_function(call, &Grant::Open, &Bytes::new())));
        for field in ["queryStringParameters", "multiValueQueryStringParameters", "stageVariables", "body"] {
            assert_eq!(function.get(field), Some(&Value::Null), "{field}");
        }
        assert_eq!((function.get("version"), function.pointer("/requestContext/authorizer")), (None, None));
        let authorizer = read(&with_nothing(Front::Rest, |call| of_authorizer(call, "arn", &["t".into()])));
        for field in ["queryStringParameters", "multiValueQueryStringParameters", "stageVariables"] {
            assert_eq!(authorizer.get(field), Some(&json!({})), "{field}");
        }
        for field in ["body", "isBase64Encoded", "identitySource", "authorizationToken", "version"] {
            assert_eq!(authorizer.get(field), None, "{field}");
        }
        assert_eq!((&authorizer["type"], &authorizer["methodArn"]), (&json!("REQUEST"), &json!("arn")));
        assert_eq!(read(&of_token("arn", "t")), json!({ "type": "TOKEN", "methodArn": "arn", "authorizationToken": "t" }));
    }

    #[test]
    fn names_of_headers_are_those_of_rest_apis() {
        let sent = [("authorization", "t"), ("host", "h"), ("user-agent", "a"), ("x_under_score", "u"), ("x-forwarded-for", "203.0.113.9")];
        let event = read(&with_call(Front::Rest, &sent, |call| of_function(call, &Grant::Open, &Bytes::new())));
        let headers = json!({
            "Authorization": "t",
            "Host": "h",
            "User-Agent": "a",
            "x_under_score": "u",
            "X-Amzn-Trace-Id": "Root=1-a-b",
            "X-Forwarded-For": "203.0.113.9, 192.0.2.1",
            "X-Forwarded-Port": "80",
            "X-Forwarded-Proto": "http",
        });
        assert_eq!(event["headers"], headers);
        assert_eq!(event["multiValueHeaders"]["Host"], json!(["h"]));
        assert_eq!((&event["path"], &event["requestContext"]["path"]), (&json!("/my/path"), &json!("/test/my/path")));
    }

    /// The fields of the example in "Create AWS Lambda proxy integrations for HTTP APIs", format 1.0.
    #[test]
    fn an_http_event_of_payload_1_has_every_field_of_the_documented_one() {
        let event = read(&with_nothing(Front::Http, |call| of_function(call, &Grant::Open, &Bytes::from_static(b"Hello from Lambda!"))));
        let documented = json!({
            "version": "1.0", "resource": "/my/{id}", "path": "/", "httpMethod": "GET",
            "headers": {}, "multiValueHeaders": {},
            "queryStringParameters": null, "multiValueQueryStringParameters": null,
            "requestContext": {
                "accountId": "123456789012", "apiId": "api", "authorizer": { "claims": null, "scopes": null },
                "domainName": "api.execute-api.us-east-1.amazonaws.com", "domainPrefix": "api", "extendedRequestId": "id", "httpMethod": "GET",
                "identity": {
                    "accessKey": null, "accountId": null, "caller": null, "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null, "cognitoIdentityId": null, "cognitoIdentityPoolId": null, "principalOrgId": null,
                    "sourceIp": "192.0.2.1", "user": null, "userAgent": null, "userArn": null,
                },
                "path": "/", "protocol": "HTTP/1.1", "requestId": "id", "requestTime": "04/Mar/2020:19:03:58 +0000",
                "requestTimeEpoch": 1_583_348_638_390_u64, "resourceId": null, "resourcePath": "/my/{id}", "stage": "$default",
            },
            "pathParameters": { "id": "1" }, "stageVariables": null, "body": "SGVsbG8gZnJvbSBMYW1iZGEh", "isBase64Encoded": true,
        });
        let mut seen = event.clone();
        seen["headers"] = json!({});
        seen["multiValueHeaders"] = json!({});
        assert_eq!(seen, documented);
        assert_eq!((&event["headers"]["Content-Length"], &event["headers"]["X-Forwarded-Proto"]), (&json!("0"), &json!("http")));
    }
}
