//! Drives an experiment through AWS FIS: creates what is missing, then starts, watches and stops
//! it. FIS decides when it ends; nothing here touches a function.

mod drive;
mod prepare;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_fis::config::http::HttpResponse;
use aws_sdk_fis::error::{ProvideErrorMetadata, SdkError};

use crate::call::CallError;
use crate::patience::Patience;
use crate::secret::Variables;

pub use drive::{Actions, Seen, Status};
pub use prepare::Prepared;

/// The clients of FIS, and of SSM for its documents.
#[derive(Debug, Clone)]
pub struct Fis {
    fis: aws_sdk_fis::Client,
    ssm: aws_sdk_ssm::Client,
    patience: Patience,
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
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).connect_timeout(Duration::from_secs(5)).build();
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
fn failed<E: ProvideErrorMetadata>(call: &'static str, of: &str, error: &SdkError<E, HttpResponse>) -> CallError {
    CallError::read(call, of, error, &Variables::default())
}
