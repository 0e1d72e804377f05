//! The SDK settings of each function: bounded, so that a failing neighbour is answered for well before the function's own timeout.
//! Endpoint, region and credentials come from where the SDK always takes them; nothing here overrides them.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use std::time::Duration;

/// How long a function is ready to wait for one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the connection.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For all attempts with the pauses between them.
    pub operation: Duration,
    /// Attempts in all.
    pub attempts: u32,
    /// The first pause; it doubles, with jitter.
    pub pause: Duration,
}

/// `config` for calls that may have been carried out when no answer came, and must not be twice: silence is not followed by a second attempt.
pub fn no_second_attempt_after_silence(config: &SdkConfig) -> SdkConfig {
    let patience = config.timeout_config();
    let mut timeouts = TimeoutConfig::builder();
    timeouts.set_connect_timeout(patience.and_then(TimeoutConfig::connect_timeout));
    timeouts.set_operation_timeout(patience.and_then(TimeoutConfig::operation_timeout));
    config.to_builder().timeout_config(timeouts.build()).build()
}

/// Loads what the environment says, with `patience`.
pub async fn load(patience: Patience) -> SdkConfig {
    with_patience(aws_config::defaults(BehaviorVersion::latest()), patience).load().await
}

/// Adds `patience` to settings that are being made.
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
