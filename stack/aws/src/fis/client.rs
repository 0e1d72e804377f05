//! The clients that an experiment of FIS needs.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_fis::config::http::HttpResponse;
use aws_sdk_fis::error::{ProvideErrorMetadata, SdkError};

use crate::call::CallError;
use crate::patience::Patience;
use crate::secret::Variables;

/// The clients of FIS, and of SSM for its documents.
#[derive(Debug, Clone)]
pub struct Fis {
    pub(super) fis: aws_sdk_fis::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) patience: Patience,
}

/// Why a request to FIS failed.
#[derive(Debug, thiserror::Error)]
pub enum FisError {
    /// A call failed, or got no answer in time.
    #[error("FIS cannot drive the experiment; the roles and the log come from the stack that `brownout export fis` writes")]
    Call(#[from] CallError),
    /// brownout's template does not match FIS's format: a bug in brownout.
    #[error("the experiment template lacks `{0}`")]
    Template(String),
}

impl Fis {
    /// Calls use `config`, without the SDK's own retries and with a timeout of 20 s.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let timeouts = crate::client::timeouts();
        let fis = aws_sdk_fis::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone());
        let ssm = aws_sdk_ssm::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        Self { fis: aws_sdk_fis::Client::from_conf(fis.build()), ssm: aws_sdk_ssm::Client::from_conf(ssm.build()), patience }
    }

    /// The same client with another patience.
    #[must_use]
    pub fn with(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }
}

/// Converts a failed call's error; it cannot contain variables.
pub(super) fn failed<E: ProvideErrorMetadata>(call: &'static str, of: &str, error: &SdkError<E, HttpResponse>) -> CallError {
    CallError::read(call, of, error, &Variables::default())
}
