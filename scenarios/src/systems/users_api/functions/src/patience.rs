//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `users-api` has 10 s. A list of several pages is limited by what is left of them; any other
/// request makes one call.
pub const USERS_API: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts: 2,
    pause: Duration::from_millis(100),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        assert!(USERS_API.operation < Duration::from_secs(10));
        assert!(USERS_API.attempt * 2 <= USERS_API.operation, "there is no time for a second attempt");
    }
}
