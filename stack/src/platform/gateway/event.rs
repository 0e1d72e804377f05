//! The events that the gateway makes of a request: payload 1.0 for the function, and the request
//! authorizer's event. It decides nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use bytes::Bytes;
use hyper::header::HeaderMap;
use serde::Serialize;

use super::routes::Found;
use crate::platform::names::ACCOUNT;
use template::apis::{Api, ApiKey};

/// The usual size of an event without its body, in bytes.
const AROUND: usize = 2048;

/// A request as the gateway has read it.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub api: &'a Api,
    pub found: Found<'a>,
    /// The key that gave access to the method, if it requires one.
    pub key: Option<&'a ApiKey>,
    pub method: &'a str,
    /// Without the stage.
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub headers: &'a HeaderMap,
    pub trace: &'a str,
    pub request_id: &'a str,
    pub peer: IpAddr,
    pub port: u16,
    pub region: &'a str,
    /// Since 1970.
    pub time: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method_arn: Option<String>,
    resource: &'a str,
    path: &'a str,
    http_method: &'a str,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    multi_value_headers: BTreeMap<&'a str, Vec<Cow<'a, str>>>,
    query_string_parameters: Option<BTreeMap<String, String>>,
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    path_parameters: Option<&'a BTreeMap<&'a str, String>>,
    stage_variables: Option<&'a BTreeMap<String, String>>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Option<Cow<'a, str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_base64_encoded: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    resource_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorizer: Option<&'a BTreeMap<String, String>>,
    resource_path: &'a str,
    http_method: &'a str,
    extended_request_id: &'a str,
    request_time: String,
    path: String,
    account_id: &'static str,
    protocol: &'static str,
    stage: &'a str,
    domain_prefix: &'a str,
    request_time_epoch: u128,
    request_id: &'a str,
    identity: Identity<'a>,
    domain_name: String,
    deployment_id: &'static str,
    api_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    cognito_identity_pool_id: Option<()>,
    account_id: Option<()>,
    cognito_identity_id: Option<()>,
    caller: Option<()>,
    source_ip: IpAddr,
    principal_org_id: Option<()>,
    access_key: Option<()>,
    cognito_authentication_type: Option<()>,
    cognito_authentication_provider: Option<()>,
    user_arn: Option<()>,
    user_agent: Option<Cow<'a, str>>,
    user: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key_id: Option<&'a str>,
}

impl Call<'_> {
    /// The ARN that a policy is checked against.
    pub(crate) fn method_arn(&self) -> String {
        let path = self.path.trim_start_matches('/');
        format!("arn:aws:execute-api:{}:{ACCOUNT}:{}/{}/{}/{path}", self.region, self.api.id, self.api.stage, self.method)
    }

    /// The function's event. `authorizer` is the context that the authorizer returned.
    pub(crate) fn event(&self, authorizer: Option<&BTreeMap<String, String>>, body: &Bytes) -> Bytes {
        let mut event = self.common(authorizer);
        let text = std::str::from_utf8(body).ok();
        event.is_base64_encoded = Some(text.is_none());
        event.body = Some(match text {
            Some("") => None,
            Some(text) => Some(Cow::Borrowed(text)),
            None => Some(Cow::Owned(base64::engine::general_purpose::STANDARD.encode(body))),
        });
        to_bytes(&event)
    }

    /// The request authorizer's event.
    pub(crate) fn authorizer_event(&self, method_arn: &str) -> Bytes {
        let mut event = self.common(None);
        event.kind = Some("REQUEST");
        event.method_arn = Some(method_arn.to_owned());
        to_bytes(&event)
    }

    fn common<'b>(&'b self, authorizer: Option<&'b BTreeMap<String, String>>) -> Event<'b> {
        let multi_query = self.query.map(query).filter(|query| !query.is_empty());
        let single = |all: &BTreeMap<String, Vec<String>>| {
            all.iter().filter_map(|(name, values)| values.last().map(|value| (name.clone(), value.clone()))).collect()
        };
        let multi_headers = self.multi_value_headers();
        Event {
            kind: None,
            method_arn: None,
            resource: &self.found.route.resource,
            path: self.path,
            http_method: self.method,
            headers: multi_headers.iter().filter_map(|(name, values)| values.last().map(|value| (*name, value.clone()))).collect(),
            multi_value_headers: multi_headers,
            query_string_parameters: multi_query.as_ref().map(single),
            multi_value_query_string_parameters: multi_query,
            path_parameters: Some(&self.found.parameters).filter(|parameters| !parameters.is_empty()),
            stage_variables: Some(&self.api.variables).filter(|variables| !variables.is_empty()),
            request_context: self.context(authorizer),
            body: None,
            is_base64_encoded: None,
        }
    }

    fn multi_value_headers(&self) -> BTreeMap<&str, Vec<Cow<'_, str>>> {
        let mut headers: BTreeMap<&str, Vec<Cow<'_, str>>> = BTreeMap::new();
        for (name, value) in self.headers {
            if !matches!(name.as_str(), "connection" | "transfer-encoding" | "x-amzn-trace-id") {
                headers.entry(name.as_str()).or_default().push(String::from_utf8_lossy(value.as_bytes()));
            }
        }
        headers.insert("X-Amzn-Trace-Id", vec![Cow::Borrowed(self.trace)]);
        headers.insert("X-Forwarded-For", vec![Cow::Owned(self.peer.to_string())]);
        headers.insert("X-Forwarded-Port", vec![Cow::Owned(self.port.to_string())]);
        headers.insert("X-Forwarded-Proto", vec![Cow::Borrowed("http")]);
        headers
    }

    fn context<'b>(&'b self, authorizer: Option<&'b BTreeMap<String, String>>) -> Context<'b> {
        let agent = self.headers.get(hyper::header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        Context {
            resource_id: "resource",
            authorizer,
            resource_path: &self.found.route.resource,
            http_method: self.method,
            extended_request_id: self.request_id,
            request_time: dates::access_log(UNIX_EPOCH + self.time),
            path: format!("/{}{}", self.api.stage, self.path),
            account_id: ACCOUNT,
            protocol: "HTTP/1.1",
            stage: &self.api.stage,
            domain_prefix: &self.api.id,
            request_time_epoch: self.time.as_millis(),
            request_id: self.request_id,
            identity: Identity {
                cognito_identity_pool_id: None,
                account_id: None,
                cognito_identity_id: None,
                caller: None,
                source_ip: self.peer,
                principal_org_id: None,
                access_key: None,
                cognito_authentication_type: None,
                cognito_authentication_provider: None,
                user_arn: None,
                user_agent: agent,
                user: None,
                api_key: self.key.and_then(|key| key.value.as_deref()),
                api_key_id: self.key.map(|key| key.id.as_str()),
            },
            domain_name: format!("{}.execute-api.{}.amazonaws.com", self.api.id, self.region),
            deployment_id: "local",
            api_id: &self.api.id,
        }
    }
}

fn to_bytes(event: &Event<'_>) -> Bytes {
    // A large body is written once, into a buffer with an eighth more room for escapes, so that it
    // is not copied while the buffer grows.
    let body = event.body.as_ref().and_then(Option::as_deref).map_or(0, str::len);
    let mut bytes = Vec::with_capacity(body + body / 8 + AROUND);
    // Text keys and plain values only, so this cannot fail.
    let _ = serde_json::to_writer(&mut bytes, event);
    Bytes::from(bytes)
}

/// The parameters of a query, decoded, as the gateway passes them on.
fn query(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.entry(decoded(name)).or_default().push(decoded(value));
    }
    all
}

fn decoded(text: &str) -> String {
    let mut bytes = text.as_bytes().iter();
    let mut out = Vec::with_capacity(text.len());
    while let Some(&byte) = bytes.next() {
        let rest = bytes.as_slice();
        let pair = rest.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (byte, pair) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(value)) => {
                out.push(value);
                bytes.nth(1);
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_all_values_are_kept() {
        let all = query("a=1&a=%32&b=x+y&c&%zz=%4");
        assert_eq!(all["a"], ["1", "2"]);
        assert_eq!(all["b"], ["x y"]);
        assert_eq!(all["c"], [""]);
        assert_eq!(all["%zz"], ["%4"]);
    }
}
