//! The SDK settings of each function: bounded, so that the function answers well before its own
//! timeout when a dependency fails. Endpoint, region and credentials come from the SDK's usual
//! sources; nothing here overrides them.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use std::time::Duration;

/// How long a function waits for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the connection.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For all attempts, including the pauses between them.
    pub operation: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// The first pause; it doubles, with jitter.
    pub pause: Duration,
}

/// `config` for calls that must not be carried out twice: a call that got no answer may have been
/// carried out, so it is not retried.
pub fn no_second_attempt_after_silence(config: &SdkConfig) -> SdkConfig {
    let patience = config.timeout_config();
    let mut timeouts = TimeoutConfig::builder();
    timeouts.set_connect_timeout(patience.and_then(TimeoutConfig::connect_timeout));
    timeouts.set_operation_timeout(patience.and_then(TimeoutConfig::operation_timeout));
    config.to_builder().timeout_config(timeouts.build()).build()
}

/// Loads the SDK's settings from the environment, with `patience`.
pub async fn load(patience: Patience) -> SdkConfig {
    with_patience(aws_config::defaults(BehaviorVersion::latest()), patience).load().await
}

/// Adds `patience` to a loader.
pub fn with_patience(loader: ConfigLoader, patience: Patience) -> ConfigLoader {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience.connect)
        .operation_attempt_timeout(patience.attempt)
        .operation_timeout(patience.operation)
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(patience.attempts)
        .with_initial_backoff(patience.pause)
        .with_max_backoff(Duration::from_millis(500));
    loader.timeout_config(timeouts).retry_config(retries)
}
