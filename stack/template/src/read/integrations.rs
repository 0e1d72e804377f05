//! What answers a method: a function by the proxy integration, or a fixed answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::section::Section;
use crate::apis::{ApiKind, Integration, Payload};

/// The names of an integration's fields.
pub(crate) struct Names {
    kind: &'static str,
    uri: &'static str,
    payload: &'static str,
    timeout: &'static str,
    mode: &'static str,
}

impl Names {
    /// Source: API Gateway developer guide, "x-amazon-apigateway-integration object".
    pub(crate) const IN_DOCUMENT: Self =
        Self { kind: "type", uri: "uri", payload: "payloadFormatVersion", timeout: "timeoutInMillis", mode: "responseTransferMode" };
    /// Source: CloudFormation, `AWS::ApiGateway::Method Integration`.
    pub(crate) const IN_METHOD: Self =
        Self { kind: "Type", uri: "Uri", payload: "", timeout: "TimeoutInMillis", mode: "ResponseTransferMode" };
    /// Source: CloudFormation, `AWS::ApiGatewayV2::Integration`.
    pub(crate) const IN_RESOURCE: Self =
        Self { kind: "IntegrationType", uri: "IntegrationUri", payload: "PayloadFormatVersion", timeout: "TimeoutInMillis", mode: "" };
}

/// Reads an integration; `None` if it is not served, which is a notice.
pub(crate) fn read(integration: &Section<'_>, names: &Names, of: ApiKind) -> Option<Integration> {
    let kind = integration.text(names.kind).unwrap_or_default().to_uppercase();
    match kind.as_str() {
        "AWS_PROXY" => function(integration, names, of),
        "MOCK" if of == ApiKind::Rest => Some(mock(integration)),
        "" => {
            integration.notice("", "the method has no integration and is not served");
            None
        }
        other => {
            integration.notice(names.kind, format!("found `{other}`, only these are served here: AWS_PROXY, MOCK; the method is missing"));
            None
        }
    }
}

fn function(integration: &Section<'_>, names: &Names, of: ApiKind) -> Option<Integration> {
    // A stage's variable may name the function at AWS.
    if integration.text(names.uri).is_some_and(|uri| uri.contains("stageVariables.")) {
        integration.notice(names.uri, "a function that a stage variable names is not served here; the method is missing");
        return None;
    }
    integration.needed(names.uri);
    let name = integration.function(names.uri)?;
    let version = integration.one_of(names.payload, &["1.0", "2.0"]);
    let payload = match (of, version.as_deref()) {
        (ApiKind::Rest, _) | (ApiKind::Http, Some("1.0")) => Payload::V1,
        (ApiKind::Http, Some(_)) => Payload::V2,
        (ApiKind::Http, None) => {
            // Source: API Gateway V2 API reference, CreateIntegration: required for functions.
            integration.complain(names.payload, "found none, expected `1.0` or `2.0`");
            Payload::V2
        }
    };
    // Source: API Gateway quotas: 50 ms to 29 s, longer on request, and 30 s for HTTP APIs.
    let largest = if of == ApiKind::Rest { 900_000 } else { 30_000 };
    let timeout = integration.number(names.timeout, 50..=largest).map(Duration::from_millis);
    let by_address = integration.text(names.uri).is_some_and(|uri| uri.ends_with("/response-streaming-invocations"));
    let streams = by_address || integration.one_of(names.mode, &["BUFFERED", "STREAM"]).as_deref() == Some("STREAM");
    Some(Integration::Function { name, payload, streams, timeout })
}

/// The answer of a mock integration: that for `default`, or the first one.
fn mock(integration: &Section<'_>) -> Integration {
    let in_document = integration.within("responses").children();
    let default = in_document.iter().find(|(name, _)| *name == "default").or_else(|| in_document.first());
    let resources = integration.each("IntegrationResponses");
    let (answer, keys) = match (default, resources.first()) {
        (Some((_, answer)), _) => (Some(answer), ["statusCode", "responseParameters", "responseTemplates"]),
        (None, answer) => (answer, ["StatusCode", "ResponseParameters", "ResponseTemplates"]),
    };
    let [status, parameters, templates] = keys;
    let Some(answer) = answer else { return Integration::Mock { status: 200, headers: BTreeMap::new(), body: String::new() } };
    let parameters = answer.within(parameters);
    let mut headers = BTreeMap::new();
    for (key, value) in parameters.text_fields() {
        let Some(name) = key.strip_prefix("method.response.header.") else { continue };
        // A literal has quotes around it; anything else is taken from the integration's answer.
        match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
            Some(literal) => drop(headers.insert(name.to_owned(), literal.to_owned())),
            None if value.parse::<f64>().is_ok() => drop(headers.insert(name.to_owned(), value)),
            None => parameters.notice(&key, format!("found `{value}`, only literals in quotes are served here")),
        }
    }
    let template = answer.within(templates).text("application/json").unwrap_or_default();
    if template.contains("$input") || template.contains("#set") {
        answer.notice(templates, "templates are not evaluated here: the answer has no body");
        return Integration::Mock { status: answer.number(status, 100..=599).unwrap_or(200), headers, body: String::new() };
    }
    Integration::Mock { status: answer.number(status, 100..=599).unwrap_or(200), headers, body: template }
}
