//! Payload 2.0: the events of HTTP APIs and of functions' URLs, for functions and for authorizers.
//! It decides nothing. Sources: "Create AWS Lambda proxy integrations for HTTP APIs", "Working with
//! AWS Lambda authorizers for HTTP APIs", "Invoking Lambda function URLs".

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::call::{Call, Multi};
use super::event_v1::to_bytes;
use super::grant::Grant;
use crate::platform::names::ACCOUNT;

/// A field without a value is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'static str,
    #[serde(flatten)]
    asked: Option<Asked<'a>>,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<Cow<'a, str>>>,
    headers: Joined<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string_parameters: Option<Joined<'a>>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_parameters: Option<&'a BTreeMap<&'a str, String>>,
    #[serde(flatten)]
    body: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_variables: Option<&'a BTreeMap<String, String>>,
}

/// What only an authorizer's event has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    route_arn: &'a str,
    /// `null` without identity sources.
    identity_source: Option<&'a [Cow<'a, str>]>,
}

/// What only a function's event has.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

/// All values of each name, joined by commas, the names in lower case if they are of headers.
struct Joined<'a> {
    all: &'a Multi<'a>,
    lower: bool,
}

impl Serialize for Joined<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.all.iter().map(|(name, values)| {
            let name = if self.lower && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(name.to_ascii_lowercase())
            } else {
                Cow::Borrowed(name.as_ref())
            };
            let value = match values.as_slice() {
                [one] => Cow::Borrowed(one.as_ref()),
                several => Cow::Owned(several.join(",")),
            };
            (name, value)
        }))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<Value>,
    domain_name: String,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    time_epoch: u128,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: IpAddr,
    user_agent: Cow<'a, str>,
}

/// A function's event.
pub(crate) fn of_function(call: &Call<'_>, grant: &Grant, body: &Bytes) -> Bytes {
    let (body, is_base64_encoded) = call.body(body);
    written(call, grant, None, Some(Body { body, is_base64_encoded }))
}

/// A `REQUEST` authorizer's event.
pub(crate) fn of_authorizer(call: &Call<'_>, route_arn: &str, identity: &[Cow<'_, str>]) -> Bytes {
    let asked = Asked { kind: "REQUEST", route_arn, identity_source: Some(identity).filter(|values| !values.is_empty()) };
    written(call, &Grant::Open, Some(asked), None)
}

fn written(call: &Call<'_>, grant: &Grant, asked: Option<Asked<'_>>, body: Option<Body<'_>>) -> Bytes {
    let size = body.as_ref().and_then(|body| body.body.as_ref()).map_or(0, |body| body.len());
    let (headers, query) = (call.all_headers(true), call.parameters());
    let (route_key, path) = (call.route_key(), call.staged_path());
    let event = Event {
        version: "2.0",
        asked,
        route_key: &route_key,
        raw_path: &path,
        raw_query_string: call.query.unwrap_or_default(),
        cookies: call.cookies(),
        headers: Joined { all: &headers, lower: true },
        query_string_parameters: query.as_ref().map(|all| Joined { all, lower: false }),
        request_context: Context {
            account_id: if matches!(grant, Grant::Open) && call.front == super::routes::Front::Url { "anonymous" } else { ACCOUNT },
            api_id: &call.api.id,
            authorizer: grant.v2(),
            domain_name: call.domain(),
            domain_prefix: &call.api.id,
            http: Http {
                method: call.method,
                path: &path,
                protocol: "HTTP/1.1",
                source_ip: call.peer,
                user_agent: call.agent().unwrap_or_default(),
            },
            request_id: call.request_id,
            route_key: &route_key,
            stage: &call.api.stage,
            time: call.access_time(),
            time_epoch: call.time.as_millis(),
        },
        path_parameters: Some(&call.found.parameters).filter(|parameters| !parameters.is_empty()),
        body,
        stage_variables: Some(&call.api.variables).filter(|variables| !variables.is_empty()),
    };
    to_bytes(size, &event)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::routes::Front;
    use super::super::sample::{with_call, with_nothing};
    use super::*;

    fn read(event: &Bytes) -> Value {
        serde_json::from_slice(event).unwrap()
    }

    const SENT: [(&str, &str); 6] = [
        ("host", "h"),
        ("user-agent", "agent"),
        ("header1", "value1"),
        ("Header2", "value1"),
        ("header2", "value2"),
        ("cookie", "cookie1; cookie2=x"),
    ];

    fn headers() -> Value {
        json!({
            "content-length": "0", "header1": "value1", "header2": "value1,value2", "host": "h", "user-agent": "agent",
            "x-amzn-trace-id": "Root=1-a-b", "x-forwarded-for": "192.0.2.1", "x-forwarded-port": "80", "x-forwarded-proto": "http",
        })
    }

    fn context() -> Value {
        json!({
            "accountId": "123456789012", "apiId": "api",
            "domainName": "api.execute-api.us-east-1.amazonaws.com", "domainPrefix": "api",
            "http": { "method": "GET", "path": "/my/path", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "agent" },
            "requestId": "id", "routeKey": "GET /my/{id}", "stage": "$default",
            "time": "04/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_u64,
        })
    }

    /// The example of format 2.0 in "Create AWS Lambda proxy integrations for HTTP APIs".
    #[test]
    fn an_http_event_has_every_field_of_the_documented_one() {
        let event = read(&with_call(Front::Http, &SENT, |call| of_function(call, &Grant::Open, &Bytes::from_static(b"\x00"))));
        assert_eq!(
            event,
            json!({
                "version": "2.0", "routeKey": "GET /my/{id}", "rawPath": "/my/path",
                "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
                "cookies": ["cookie1", "cookie2=x"], "headers": headers(),
                "queryStringParameters": { "parameter1": "value1,value2", "parameter2": "value" },
                "requestContext": context(), "body": "AA==", "pathParameters": { "id": "1" }, "isBase64Encoded": true,
                "stageVariables": { "v": "1" },
            })
        );
    }

    /// The example of format 2.0 in "Working with AWS Lambda authorizers for HTTP APIs".
    #[test]
    fn an_authorizers_event_has_every_field_of_the_documented_one() {
        let identity = [Cow::Borrowed("user1"), Cow::Borrowed("123")];
        let event = read(&with_call(Front::Http, &SENT, |call| of_authorizer(call, &call.method_arn(), &identity)));
        assert_eq!(
            event,
            json!({
                "version": "2.0", "type": "REQUEST",
                "routeArn": "arn:aws:execute-api:us-east-1:123456789012:api/$default/GET/my/path", "identitySource": ["user1", "123"],
                "routeKey": "GET /my/{id}", "rawPath": "/my/path",
                "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
                "cookies": ["cookie1", "cookie2=x"], "headers": headers(),
                "queryStringParameters": { "parameter1": "value1,value2", "parameter2": "value" },
                "requestContext": context(), "pathParameters": { "id": "1" }, "stageVariables": { "v": "1" },
            })
        );
    }

    #[test]
    fn what_is_not_there_is_left_out() {
        let event = read(&with_nothing(Front::Http, |call| of_function(call, &Grant::Open, &Bytes::new())));
        for field in ["cookies", "queryStringParameters", "stageVariables", "body"] {
            assert_eq!(event.get(field), None, "{field}");
        }
        assert_eq!((&event["rawQueryString"], &event["isBase64Encoded"]), (&json!(""), &json!(false)));
    }

    #[test]
    fn a_functions_url_has_its_own_domain_and_its_caller() {
        let event =
            |grant: &Grant| read(&with_call(Front::Url, &[], |call| of_function(call, grant, &Bytes::new())))["requestContext"].clone();
        let (open, signed) = (event(&Grant::Open), event(&Grant::Signature));
        assert_eq!((&open["domainName"], &open["accountId"]), (&json!("api.lambda-url.us-east-1.on.aws"), &json!("anonymous")));
        assert_eq!((open.get("authorizer"), &signed["accountId"]), (None, &json!("123456789012")));
        assert_eq!(signed["authorizer"]["iam"]["userArn"], "arn:aws:iam::123456789012:root");
    }
}
