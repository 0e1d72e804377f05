//! The calls to Lambda, each made once: the caller reads again before a retry, so the SDK itself
//! must not retry.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::types::{CodeSigningPolicy, Environment, FunctionVersion};

use crate::attach::update::Update;
use crate::attach::wish::{Layer, Surroundings};
use crate::call::{CallError, Meaning};
use crate::function::Function;
use crate::patience::Patience;
use crate::secret::Variables;

/// The Lambda client, and how long calls are retried.
#[derive(Debug, Clone)]
pub struct Lambda {
    pub(crate) client: aws_sdk_lambda::Client,
    pub(crate) patience: Patience,
    pub(crate) grace: Duration,
}

/// How long a version may still be called after its alias stops sending it calls. AWS does not
/// document how long Lambda's front ends take to learn of a change.
pub const GRACE: Duration = Duration::from_secs(60);

/// How long one call may take.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).connect_timeout(Duration::from_secs(5)).build()
}

impl Lambda {
    /// Calls use `config`, without the SDK's own retries and with a timeout of 20 s.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let config = aws_sdk_lambda::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts());
        Self { client: aws_sdk_lambda::Client::from_conf(config.build()), patience, grace: GRACE }
    }

    /// The same client with another grace period than [`GRACE`] before a version is deleted.
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// `$LATEST` as it is now.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn function(&self, name: &str) -> Result<Function, CallError> {
        let read = self.client.get_function_configuration().function_name(name).send().await;
        match read {
            Ok(read) => Ok(Function::from(&read)),
            Err(error) => Err(CallError::read("GetFunctionConfiguration", name, &error, &Variables::default())),
        }
    }

    /// The same, with retries while they may help.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn function_at_last(&self, name: &str) -> Result<Function, CallError> {
        self.patience.insist(|| self.function(name)).await
    }

    pub(crate) async fn update(&self, name: &str, update: &Update) -> Result<(), CallError> {
        let environment = Environment::builder().set_variables(Some(update.variables.plain())).build();
        let call = self.client.update_function_configuration().function_name(name).environment(environment);
        let call = call.set_layers(Some(update.layers.clone())).set_revision_id(update.revision.clone());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(CallError::read("UpdateFunctionConfiguration", name, &error, &update.variables)),
        }
    }

    /// The surroundings that matter to an attach: the layer, code signing, reserved concurrency.
    ///
    /// # Errors
    /// The error of the last call; a missing layer is not an error but part of the answer.
    pub async fn surroundings(&self, name: &str, layer: &Layer) -> Result<Surroundings, CallError> {
        self.patience.insist(|| self.surroundings_once(name, layer)).await
    }

    async fn surroundings_once(&self, name: &str, layer: &Layer) -> Result<Surroundings, CallError> {
        let nothing = Variables::default();
        let architectures = self.architectures(layer).await?;
        let call = self.client.get_function_code_signing_config().function_name(name);
        let signing = call.send().await.map_err(|error| CallError::read("GetFunctionCodeSigningConfig", name, &error, &nothing))?;
        let arn = signing.code_signing_config_arn();
        let enforced = !arn.is_empty() && self.is_enforced(arn).await?;
        let call = self.client.get_function_concurrency().function_name(name);
        let concurrency = call.send().await.map_err(|error| CallError::read("GetFunctionConcurrency", name, &error, &nothing))?;
        Ok(Surroundings { architectures, enforced, switched_off: concurrency.reserved_concurrent_executions() == Some(0) })
    }

    /// The architectures that a layer version names; `None` if it does not exist or may not be read.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn architectures(&self, layer: &Layer) -> Result<Option<Vec<String>>, CallError> {
        let call = self.client.get_layer_version().layer_name(layer.stem()).version_number(layer.number());
        match call.send().await {
            Ok(read) => Ok(Some(read.compatible_architectures().iter().map(|one| one.as_str().to_owned()).collect())),
            Err(error) => match CallError::read("GetLayerVersion", layer.arn(), &error, &Variables::default()) {
                error if error.meaning == Meaning::Missing => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn is_enforced(&self, arn: &str) -> Result<bool, CallError> {
        let read = self.client.get_code_signing_config().code_signing_config_arn(arn).send().await;
        let read = read.map_err(|error| CallError::read("GetCodeSigningConfig", arn, &error, &Variables::default()))?;
        let policies = read.code_signing_config().and_then(|config| config.code_signing_policies());
        // The default policy is to warn.
        Ok(policies.and_then(|policies| policies.untrusted_artifact_on_deployment()) == Some(&CodeSigningPolicy::Enforce))
    }

    /// Every version of one function, including `$LATEST`, page by page. The listing has no states.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn versions(&self, function: &str) -> Result<Vec<Function>, CallError> {
        let (mut all, mut marker) = (Vec::new(), None);
        loop {
            let page = self.patience.insist(|| async {
                let call = self.client.list_versions_by_function().function_name(function).set_marker(marker.clone());
                call.send().await.map_err(|error| CallError::read("ListVersionsByFunction", function, &error, &Variables::default()))
            });
            let page = page.await?;
            all.extend(page.versions().iter().map(Function::from));
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Every version of every function in the account and region, page by page.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn functions(&self) -> Result<Vec<Function>, CallError> {
        let (mut all, mut marker, mut pauses) = (Vec::new(), None, self.patience.begin());
        loop {
            let call = self.client.list_functions().function_version(FunctionVersion::All).set_marker(marker.clone());
            match call.send().await {
                Ok(page) => {
                    all.extend(page.functions().iter().map(Function::from));
                    marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
                    if marker.is_none() {
                        return Ok(all);
                    }
                }
                Err(error) => {
                    let error = CallError::read("ListFunctions", "all functions", &error, &Variables::default());
                    if error.meaning != Meaning::Again || !pauses.pause().await {
                        return Err(error);
                    }
                }
            }
        }
    }
}
