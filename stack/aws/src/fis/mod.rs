//! AWS FIS drives an experiment: what it needs is made where it is not there, it is started, watched and stopped. FIS decides when it ends;
//! nothing here touches a function.

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

/// FIS, and SSM where its documents are.
#[derive(Debug, Clone)]
pub struct Fis {
    fis: aws_sdk_fis::Client,
    ssm: aws_sdk_ssm::Client,
    patience: Patience,
}

/// Why FIS does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FisError {
    /// A call said no, or nothing for too long.
    #[error("FIS cannot drive the experiment; the roles and the log come from the stack that `brownout export fis` writes")]
    Call(#[from] CallError),
    /// What is written for it is not as FIS has it: a mistake of ours.
    #[error("the experiment template lacks `{0}`")]
    Template(String),
}

impl Fis {
    /// Calls are made as `config` says, once each, and given up after 20 s without an answer.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(20)).connect_timeout(Duration::from_secs(5)).build();
        let fis = aws_sdk_fis::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone());
        let ssm = aws_sdk_ssm::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        Self { fis: aws_sdk_fis::Client::from_conf(fis.build()), ssm: aws_sdk_ssm::Client::from_conf(ssm.build()), patience }
    }

    /// The same with another patience.
    #[must_use]
    pub fn with(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }
}

/// What a failed call says; there are no variables that could be in it.
fn failed<E: ProvideErrorMetadata>(call: &'static str, of: &str, error: &SdkError<E, HttpResponse>) -> CallError {
    CallError::read(call, of, error, &Variables::default())
}
