//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `authorizer` has 3 s for everything; [`crate::authorizer::TIME_LIMIT`] also bounds the sum of
/// its calls.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        assert!(APPOINTMENTS.operation < Duration::from_secs(10));
        assert!(crate::authorizer::TIME_LIMIT < Duration::from_secs(3));
        for patience in [APPOINTMENTS, AUTHORIZER] {
            assert!(patience.attempt * 2 <= patience.operation, "{patience:?} leaves no time for a second attempt");
        }
    }
}
