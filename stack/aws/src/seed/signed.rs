//! Single JSON calls to a service whose SDK is too large for the few calls that are made: signed with Signature Version 4, sent by the SDK's HTTP client.

use std::time::SystemTime;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_lambda::config::ProvideCredentials as _;
use aws_sdk_lambda::error::SdkError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};

use aws_smithy_runtime_api::http::Headers;
use serde_json::Value;

use crate::call::{CallError, Meaning};

/// A service's address, and how its calls are signed.
#[derive(Debug, Clone)]
pub(crate) struct Signed {
    config: SdkConfig,
    /// The name in its ARNs, which is the name in signatures too.
    service: &'static str,
    region: String,
    endpoint: String,
    /// The type of its bodies.
    json: &'static str,
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// The operation's name.
    pub name: &'static str,
    /// What it is about.
    pub of: &'a str,
    pub method: &'static str,
    /// The path and the query, percent-encoded.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    /// `null` if there is none.
    pub body: Value,
}

/// The status and the body of an answer that the service gave.
type Answer = (u16, Option<String>, Vec<u8>);

impl Signed {
    /// Calls go to the endpoint of `config` if it has one; `json` is the type of the bodies.
    pub(crate) fn new(config: &SdkConfig, service: &'static str, json: &'static str, partition: &str) -> Self {
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let endpoint = config.endpoint_url().map_or_else(|| format!("https://{service}.{region}.{suffix}"), str::to_owned);
        Self { config: config.clone(), service, region, endpoint: endpoint.trim_end_matches('/').to_owned(), json }
    }

    /// Makes a call once, and returns the body of its answer; `null` if that is empty.
    ///
    /// # Errors
    /// The error of the call.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let failed = |code: &str, message: String, meaning| CallError {
            call: call.name,
            of: call.of.to_owned(),
            code: code.to_owned(),
            message,
            meaning,
        };
        let request = self.signed(call).await.map_err(|cause| failed("not sent", cause.to_string(), Meaning::Final))?;
        let (status, code, body) = self.send(call.name, request).await.map_err(|error| match error {
            SdkError::ConstructionFailure(_) => failed("not sent", "the request could not be made".to_owned(), Meaning::Final),
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                failed("not sent", "the connection failed".to_owned(), Meaning::Final)
            }
            SdkError::TimeoutError(_) => failed("no answer", "it took too long".to_owned(), Meaning::Again),
            _ => failed("no answer", "the connection failed".to_owned(), Meaning::Again),
        })?;
        let body: Value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or(Value::Null) };
        if (200..300).contains(&status) {
            return Ok(body);
        }
        let code = code.or_else(|| text(&body, "__type").map(str::to_owned)).unwrap_or_else(|| format!("HTTP {status}"));
        let code = code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned();
        let message = text(&body, "message").or_else(|| text(&body, "Message")).unwrap_or("no message was given").to_owned();
        let meaning = crate::call::meaning(status, &code);
        Err(CallError { call: call.name, of: call.of.to_owned(), code, message, meaning })
    }

    async fn signed(&self, call: &Call<'_>) -> Result<HttpRequest, BoxError> {
        let provider = self.config.credentials_provider().ok_or("nothing provides credentials")?;
        let identity: Identity = provider.provide_credentials().await?.into();
        let params = SigningParams::builder().identity(&identity).region(&self.region).name(self.service);
        let params = params.time(SystemTime::now()).settings(SigningSettings::default()).build()?.into();
        let body = if call.body.is_null() { Vec::new() } else { serde_json::to_vec(&call.body)? };
        let url = format!("{}{}", self.endpoint, call.path);
        let mut headers: Vec<(&str, &str)> = call.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-type", self.json));
        let signable = SignableRequest::new(call.method, url.as_str(), headers.iter().copied(), SignableBody::Bytes(&body))?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        let (signature, _) = signature.into_parts();
        let mut request = HttpRequest::new(body.into());
        request.set_method(call.method)?;
        request.set_uri(url)?;
        let all: &mut Headers = request.headers_mut();
        for (name, value) in headers {
            all.try_insert(name.to_owned(), value.to_owned())?;
        }
        for header in signature {
            all.try_insert(header.name(), header.value().to_owned())?;
        }
        Ok(request)
    }

    async fn send(&self, name: &'static str, request: HttpRequest) -> Result<Answer, SdkError<std::convert::Infallible, HttpResponse>> {
        let timeouts = crate::client::timeouts();
        let mut operation = Operation::builder().service_name(self.service).operation_name(name);
        operation = operation.behavior_version(BehaviorVersion::latest()).endpoint_url(&self.endpoint).no_auth().no_retry();
        operation = operation.timeout_config(timeouts);
        if let Some(client) = self.config.http_client() {
            operation = operation.http_client(client);
        }
        let operation = operation.serializer(|request: HttpRequest| Ok(request)).deserializer(read).build();
        operation.invoke(request).await
    }
}

/// A text in an answer.
pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer.get(name)?.as_str()
}

fn read(response: &HttpResponse) -> Result<Answer, OrchestratorError<std::convert::Infallible>> {
    let code = response.headers().get("x-amzn-errortype").map(str::to_owned);
    Ok((response.status().as_u16(), code, response.body().bytes().unwrap_or_default().to_vec()))
}
