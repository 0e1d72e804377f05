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

/// `thermostat-api` has 25 s and makes three calls one after another: 3 * 7 s, and 2 s for the signing keys.
pub const THERMOSTAT_API: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(7),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// `authorizer` has 3 s for everything; the sum of its calls is bounded once more, by [`crate::authorizer::TIME_LIMIT`].
pub const AUTHORIZER: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(800),
    operation: Duration::from_millis(2200),
    attempts: 2,
    pause: Duration::from_millis(50),
};

/// `appointments` has 10 s and makes one call.
pub const APPOINTMENTS: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// `email-processor` has 15 s for everything; what is left of them is the limit of each mail, so this only leaves room for a second attempt.
pub const EMAIL_PROCESSOR: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(5),
    operation: Duration::from_secs(11),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// `record-sign-in` has 5 s, for which somebody waits, and makes one call.
pub const RECORD_SIGN_IN: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(1200),
    operation: Duration::from_secs(4),
    attempts: 3,
    pause: Duration::from_millis(50),
};

/// `prune-users` has 60 s for up to 25 users, and begins no user for whom there is no time.
pub const PRUNE_USERS: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(5),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// `ingest-record` has 25 s: two calls and one to the cache on the way in, one of each to take a record back.
pub const INGEST_RECORD: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(5),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// The audit's tasks have 15 s for everything; what is left of them is the limit of each task, so this only leaves room for a second attempt at
/// each of up to four calls. The state machine tries the task again anyway.
pub const AUDIT_TASK: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_millis(4_500),
    attempts: 2,
    pause: Duration::from_millis(100),
};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_answers_for_a_hanging_neighbour_before_its_own_timeout() {
        let keys = crate::key_set::TIME_LIMIT;
        assert!(THERMOSTAT_API.operation * 3 + keys < Duration::from_secs(25));
        assert!(APPOINTMENTS.operation < Duration::from_secs(10));
        assert!(crate::authorizer::TIME_LIMIT < Duration::from_secs(3));
        assert!(EMAIL_PROCESSOR.operation < Duration::from_secs(15));
        assert!(RECORD_SIGN_IN.operation < Duration::from_secs(5));
        assert!(PRUNE_USERS.operation < Duration::from_secs(60));
        let (cache, to_take_back) = (crate::audit::cache::TIME_LIMIT, crate::ingest_record::TO_TAKE_BACK);
        assert!(INGEST_RECORD.operation * 2 + cache + to_take_back < Duration::from_secs(25));
        assert!(INGEST_RECORD.operation + cache < to_take_back);
        assert!(AUDIT_TASK.operation.max(cache) < Duration::from_secs(15));
        for patience in [THERMOSTAT_API, AUTHORIZER, APPOINTMENTS, EMAIL_PROCESSOR, RECORD_SIGN_IN, PRUNE_USERS, INGEST_RECORD, AUDIT_TASK]
        {
            assert!(patience.attempt * 2 <= patience.operation, "{patience:?} leaves no time for a second attempt");
        }
    }
}
