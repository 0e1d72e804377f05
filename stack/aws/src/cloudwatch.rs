//! CloudWatch's `DescribeAlarms`, on the SDK's own stack for credentials, signing, TLS and timeouts.
//! For this one call the service's own SDK would compile all others anew with another feature.

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};
use exports::Arn;
use serde_json::Value;

/// The operation in CloudWatch's JSON 1.0 protocol. Source: botocore's model of `cloudwatch`.
const TARGET: &str = "GraniteServiceVersion20100801.DescribeAlarms";

/// The call, for the Region of an alarm.
#[derive(Debug, Clone)]
pub(crate) struct DescribeAlarms(Operation<Value, Value, ErrorMetadata>);

impl DescribeAlarms {
    /// `near` is an ARN in the alarms' Region. The call is made once, within `timeouts`.
    pub(crate) fn new(config: &SdkConfig, near: &Arn, timeouts: TimeoutConfig) -> Self {
        let suffix = if near.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        let url = config.endpoint_url().map_or_else(|| format!("https://monitoring.{}.{suffix}", near.region), str::to_owned);
        let mut operation = Operation::builder().service_name("CloudWatch").operation_name("DescribeAlarms");
        operation =
            operation.behavior_version(aws_config::BehaviorVersion::latest()).endpoint_url(&url).no_retry().timeout_config(timeouts);
        if let Some(client) = config.http_client() {
            operation = operation.http_client(client);
        }
        Self(operation.runtime_plugin(signing(config, &near.region)).serializer(request).deserializer(answer).build())
    }

    /// Makes the call with this input, and returns its output.
    pub(crate) async fn send(&self, wish: Value) -> Result<Value, SdkError<ErrorMetadata, HttpResponse>> {
        self.0.invoke(wish).await
    }
}

/// Signs with the credentials of `config`, as every other call.
fn signing(config: &SdkConfig, region: &str) -> StaticRuntimePlugin {
    let region = Region::new(region.to_owned());
    let mut layer = Layer::new("signing");
    layer.store_put(SigningName::from_static("monitoring"));
    layer.store_put(SigningRegion::from(region.clone()));
    layer.store_put(region);
    layer.store_put(AuthSchemeOptionResolverParams::new(()));
    layer.store_put(SigV4OperationSigningConfig { signing_options: SigningOptions::default(), ..Default::default() });
    let resolver = SharedAuthSchemeOptionResolver::new(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]));
    let mut components = RuntimeComponentsBuilder::new("signing").with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
    components.set_auth_scheme_option_resolver(Some(resolver));
    if let Some(credentials) = config.credentials_provider() {
        components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
    }
    StaticRuntimePlugin::new().with_config(layer.freeze()).with_runtime_components(components)
}

fn request(wish: Value) -> Result<HttpRequest, aws_smithy_runtime_api::box_error::BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(wish.to_string()));
    request.set_method("POST")?;
    request.set_uri("/")?;
    request.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    request.headers_mut().insert("x-amz-target", TARGET);
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Value, OrchestratorError<ErrorMetadata>> {
    let body: Value = serde_json::from_slice(response.body().bytes().unwrap_or_default()).map_err(OrchestratorError::other)?;
    if response.status().is_success() {
        return Ok(body);
    }
    let text = |keys: [&str; 2]| keys.iter().find_map(|key| body.get(*key).and_then(Value::as_str)).map(str::to_owned);
    let code = text(["__type", "code"]).map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
    let mut error = ErrorMetadata::builder();
    if let Some(code) = code {
        error = error.code(code);
    }
    if let Some(message) = text(["message", "Message"]) {
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
        let refused = answer(&response(400, r#"{"__type":"com.amazonaws#AccessDenied","Message":"no"}"#)).unwrap_err();
        let refused = refused.as_operation_error().unwrap();
        assert_eq!((refused.code(), refused.message()), (Some("AccessDenied"), Some("no")));
        assert!(answer(&response(200, "<html>")).is_err());
    }
}
