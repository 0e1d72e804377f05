//! Signed calls to services of which a few calls are needed: their SDKs would take longer to compile
//! than all of this crate. Credentials, HTTP client and signature are the SDK's.

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_sdk_lambda::error::SdkError;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{FrozenLayer, Layer};
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::region::SigningRegion;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::CallError;
use crate::endpoints::Service;
use crate::patience::Patience;
use crate::secret::Variables;

/// A service at an address.
#[derive(Debug, Clone)]
pub struct Signed {
    config: SdkConfig,
    service: Service,
    region: String,
    url: String,
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
    pub path: &'a str,
    pub headers: Vec<(&'static str, String)>,
    /// `null`: no body.
    pub body: Value,
}

impl Signed {
    /// Calls go to `url` and are signed for `region`.
    pub fn new(config: &SdkConfig, service: Service, region: &str, url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { config: config.clone(), service, region: region.to_owned(), url }
    }

    /// The answer to a `GET` of `path`, with retries while they may help. `name` is the operation's name and `of` its resource.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn get<T: DeserializeOwned>(&self, patience: Patience, name: &'static str, of: &str, path: &str) -> Result<T, CallError> {
        // Without it API Gateway answers in HAL, with other members.
        let headers = vec![("accept", "application/json".to_owned())];
        let call = Call { name, of, method: "GET", path, headers, body: Value::Null };
        patience
            .insist(|| async {
                let answer = self.call(&call).await?;
                serde_json::from_value(answer).map_err(|_| CallError::not_understood(name, of))
            })
            .await
    }

    /// Makes a call once. Returns the body of its answer; `null` if that is empty.
    ///
    /// # Errors
    /// The error of the call.
    pub(crate) async fn call(&self, call: &Call<'_>) -> Result<Value, CallError> {
        let request = request(call).map_err(|error| CallError::unsendable(call.name, call.of, &*error))?;
        let answered = self.send(call.name, request).await;
        answered.map_err(|error| CallError::read(call.name, call.of, &error, &Variables::default()))
    }

    async fn send(&self, name: &'static str, request: HttpRequest) -> Result<Value, SdkError<ErrorMetadata, HttpResponse>> {
        let mut signer = RuntimeComponentsBuilder::new("signed")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(self.config.identity_cache())
            .with_time_source(self.config.time_source());
        if let Some(credentials) = self.config.credentials_provider() {
            signer.set_identity_resolver(SCHEME_ID, credentials);
        }
        let plugin = StaticRuntimePlugin::new().with_config(self.signing()).with_runtime_components(signer);
        let mut operation = Operation::builder().service_name(self.service.id).operation_name(name).endpoint_url(&self.url).no_retry();
        operation = operation.timeout_config(crate::client::timeouts()).behavior_version(aws_config::BehaviorVersion::latest());
        if let Some(client) = self.config.http_client() {
            operation = operation.http_client(client);
        }
        let operation = operation.runtime_plugin(plugin).serializer(|request: HttpRequest| Ok(request)).deserializer(answer).build();
        operation.invoke(request).await
    }

    fn signing(&self) -> FrozenLayer {
        let mut layer = Layer::new("signed");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(aws_config::Region::new(self.region.clone()))),
            name: Some(self.service.signed_as.into()),
            ..SigV4OperationSigningConfig::default()
        });
        layer.freeze()
    }
}

/// A text in an answer.
pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer.get(name)?.as_str()
}

fn request(call: &Call<'_>) -> Result<HttpRequest, BoxError> {
    let has_body = !call.body.is_null();
    let mut request = HttpRequest::new(if has_body { SdkBody::from(call.body.to_string()) } else { SdkBody::empty() });
    request.set_method(call.method)?;
    request.set_uri(call.path)?;
    if has_body {
        request.headers_mut().insert("content-type", "application/json");
    }
    for (name, value) in &call.headers {
        request.headers_mut().try_insert(*name, value.clone())?;
    }
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(body).map_err(OrchestratorError::other) };
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = response.headers().get("x-amzn-errortype").or_else(|| text(&body, "__type")).or_else(|| text(&body, "code"));
    let code = code.map(|code| code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned());
    let mut error = ErrorMetadata::builder().code(code.unwrap_or_else(|| format!("HTTP {}", response.status().as_u16())));
    if let Some(message) = text(&body, "message").or_else(|| text(&body, "Message")) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
    }

    #[test]
    fn an_answer_is_its_json_and_a_refusal_has_its_name_and_message() {
        assert_eq!(answer(&response(200, r#"{"MetricAlarms":[]}"#)).unwrap(), serde_json::json!({"MetricAlarms": []}));
        assert_eq!(answer(&response(204, "")).unwrap(), Value::Null);
        for (status, body, code, message) in [
            (400, r#"{"__type":"com.amazonaws#AccessDenied","Message":"no"}"#, "AccessDenied", Some("no")),
            (404, r#"{"code":"NotFound:http://internal","message":"gone"}"#, "NotFound", Some("gone")),
            (503, "<html>", "HTTP 503", None),
        ] {
            let refused = answer(&response(status, body)).unwrap_err();
            let refused = refused.as_operation_error().unwrap();
            assert_eq!((refused.code(), refused.message()), (Some(code), message), "{body}");
        }
        assert!(answer(&response(200, "<html>")).is_err());
    }
}
