//! How long each function waits for one call. The wait is bounded, so that the function answers
//! well before its own timeout when a dependency fails.

use functions::clients::Patience;
use std::time::Duration;

/// `ingest-record` has 25 s: two calls and one cache command to ingest a record, one call to
/// withdraw it.
pub const INGEST_RECORD: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(5),
    attempts: 3,
    pause: Duration::from_millis(100),
};

/// The audit's tasks have 15 s for everything. Each task is limited by what is left of them, so
/// this only leaves room for a second attempt at each of up to four calls. The state machine
/// retries the task anyway.
pub const AUDIT_TASK: Patience = Patience {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_millis(4_500),
    attempts: 2,
    pause: Duration::from_millis(100),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_dependency_is_answered_before_the_function_s_own_timeout() {
        let (cache, to_take_back) = (crate::audit::cache::TIME_LIMIT, crate::ingest_record::TO_TAKE_BACK);
        assert!(INGEST_RECORD.operation * 2 + cache + to_take_back < Duration::from_secs(25));
        assert!(INGEST_RECORD.operation < to_take_back);
        assert!(AUDIT_TASK.operation.max(cache) < Duration::from_secs(15));
        for patience in [INGEST_RECORD, AUDIT_TASK] {
            assert!(patience.attempt * 2 <= patience.operation, "{patience:?} leaves no time for a second attempt");
        }
    }
}
