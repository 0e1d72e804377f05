//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `record-sign-in` has 5 s, during which a user waits, and makes one call.
pub const RECORD_SIGN_IN: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(1200),
    operation: Duration::from_secs(4),
    attempts: 3,
    pause: Duration::from_millis(50),
};

/// `prune-users` has 60 s for up to 25 users, and does not begin a user without enough time left.
pub const PRUNE_USERS: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(5),
    attempts: 3,
    pause: Duration::from_millis(100),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        assert!(RECORD_SIGN_IN.operation < Duration::from_secs(5));
        assert!(PRUNE_USERS.operation < Duration::from_secs(60));
        for patience in [RECORD_SIGN_IN, PRUNE_USERS] {
            assert!(patience.attempt * 2 <= patience.operation, "{patience:?} leaves no time for a second attempt");
        }
    }
}
