//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `email-processor` has 15 s for everything. Each mail is limited by what is left of them, so this
/// only leaves room for a second attempt.
pub const EMAIL_PROCESSOR: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(5),
    operation: Duration::from_secs(11),
    attempts: 3,
    pause: Duration::from_millis(100),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        assert!(EMAIL_PROCESSOR.operation < Duration::from_secs(15));
        assert!(EMAIL_PROCESSOR.attempt * 2 <= EMAIL_PROCESSOR.operation, "there is no time for a second attempt");
    }
}
