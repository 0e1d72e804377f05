//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `thermostat-api` has 25 s and makes three calls one after another: 3 * 7 s, and 2 s for the signing keys.
pub const THERMOSTAT_API: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(7),
    attempts: 3,
    pause: Duration::from_millis(100),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        assert!(THERMOSTAT_API.operation * 3 + functions::key_set::TIME_LIMIT < Duration::from_secs(25));
        assert!(THERMOSTAT_API.attempt * 2 <= THERMOSTAT_API.operation, "there is no time for a second attempt");
    }
}
