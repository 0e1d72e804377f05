//! Signed reads of services of which one or two calls are needed: their SDKs would take longer to
//! compile than all of this crate. Credentials, HTTP client and timeouts are the SDK's.

use std::fmt;

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, OrchestratorError};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{FrozenLayer, Layer};
use aws_types::region::SigningRegion;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::call::CallError;
use crate::endpoints::{Endpoints, Service};
use crate::patience::Patience;
use crate::secret::Variables;

/// Reads one service.
#[derive(Debug, Clone)]
pub struct Signed {
    config: SdkConfig,
    patience: Patience,
    service: Service,
    url: String,
}

impl Signed {
    /// Reads `service` where `endpoints` has it.
    pub fn new(config: &SdkConfig, patience: Patience, endpoints: &Endpoints, service: Service) -> Self {
        Self { config: config.clone(), patience, service, url: endpoints.url(service) }
    }

    /// The answer to a `GET` of `path`, with retries while they may help. `call` is the operation's name and `of` its resource.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn get<T>(&self, call: &'static str, of: &str, path: &str) -> Result<T, CallError>
    where
        T: DeserializeOwned + fmt::Debug + Send + Sync + 'static,
    {
        self.patience
            .insist(|| async {
                let answered: Result<T, _> = self.once(call, path).await;
                answered.map_err(|error| CallError::read(call, of, &error, &Variables::default()))
            })
            .await
    }

    async fn once<T>(&self, call: &'static str, path: &str) -> Result<T, SdkError<Refused, HttpResponse>>
    where
        T: DeserializeOwned + fmt::Debug + Send + Sync + 'static,
    {
        let mut signer = RuntimeComponentsBuilder::new("signed")
            .with_auth_scheme(SigV4AuthScheme::new())
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])))
            .with_identity_cache(self.config.identity_cache())
            .with_time_source(self.config.time_source());
        if let Some(credentials) = self.config.credentials_provider() {
            signer.set_identity_resolver(SCHEME_ID, credentials);
        }
        let plugin = StaticRuntimePlugin::new().with_config(self.signing()).with_runtime_components(signer);
        let mut operation = Operation::builder().service_name(self.service.id).operation_name(call).endpoint_url(&self.url).no_retry();
        if let Some(client) = self.config.http_client() {
            operation = operation.http_client(client);
        }
        if let Some(timeouts) = self.config.timeout_config() {
            operation = operation.timeout_config(timeouts.clone());
        }
        if let Some(version) = self.config.behavior_version() {
            operation = operation.behavior_version(version);
        }
        let operation = operation.runtime_plugin(plugin).serializer(|path: String| request(&path)).deserializer(read::<T>).build();
        operation.invoke(path.to_owned()).await
    }

    fn signing(&self) -> FrozenLayer {
        let mut layer = Layer::new("signed");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(SigV4OperationSigningConfig {
            region: self.config.region().cloned().map(SigningRegion::from),
            name: Some(self.service.prefix.into()),
            ..SigV4OperationSigningConfig::default()
        });
        layer.freeze()
    }
}

fn request(path: &str) -> Result<HttpRequest, aws_sdk_lambda::error::BoxError> {
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(path)?;
    // Without it API Gateway answers in HAL, with other members.
    request.headers_mut().insert("accept", "application/json");
    Ok(request)
}

fn read<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(OrchestratorError::other);
    }
    let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |names: &[&str]| names.iter().find_map(|name| body.get(*name)?.as_str()).map(str::to_owned);
    let code = response.headers().get("x-amzn-errortype").map(str::to_owned).or_else(|| text(&["__type", "code"]));
    let code = code.map(|code| code.split(':').next().unwrap_or_default().rsplit('#').next().unwrap_or_default().to_owned());
    let mut refused = ErrorMetadata::builder();
    if let Some(code) = code {
        refused = refused.code(code);
    }
    if let Some(message) = text(&["message", "Message"]) {
        refused = refused.message(message);
    }
    Err(OrchestratorError::operation(Refused(refused.build())))
}

/// A refusal, with its name and message.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(ErrorMetadata);

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}
