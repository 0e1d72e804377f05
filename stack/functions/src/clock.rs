//! The time: when Lambda ends an invocation, and how times are written into tables. It never starts
//! work for which there is no time.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format as DateTimeFormat;
use lambda_runtime::Context;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use thiserror::Error;

/// The invocation is about to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no time is left")]
pub struct TooLate;

/// The time at which Lambda ends an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(SystemTime);

impl Deadline {
    /// At `moment`.
    pub fn at(moment: SystemTime) -> Self {
        Self(moment)
    }

    /// The deadline of the invocation.
    pub fn of(context: &Context) -> Self {
        Self(context.deadline())
    }

    /// The time left until then, less `reserve`; zero if nothing is left.
    pub fn left(self, reserve: Duration) -> Duration {
        self.0.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(reserve)
    }

    /// The result of `work`, if it is ready while more than `reserve` is left.
    ///
    /// # Errors
    /// If the time is over; then `work` is cancelled, or was not even started.
    pub async fn limit<T>(self, reserve: Duration, work: impl Future<Output = T>) -> Result<T, TooLate> {
        match self.left(reserve) {
            Duration::ZERO => Err(TooLate),
            left => tokio::time::timeout(left, work).await.map_err(|_| TooLate),
        }
    }

    /// The moment.
    pub fn moment(self) -> SystemTime {
        self.0
    }
}

/// Milliseconds since 1970; 0 before that.
pub fn epoch_ms(moment: SystemTime) -> u64 {
    u64::try_from(since_epoch(moment).as_millis()).unwrap_or(u64::MAX)
}

/// ISO 8601 in UTC, always with six digits of a second's fraction, so that later times also sort
/// later as text.
pub fn iso8601(moment: SystemTime) -> String {
    let since = since_epoch(moment);
    let second = DateTime::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX));
    // A time after the year 9999 has no such text.
    let second = second.fmt(DateTimeFormat::DateTime).unwrap_or_else(|_| "9999-12-31T23:59:59Z".to_owned());
    format!("{}.{:06}Z", second.trim_end_matches('Z'), since.subsec_micros())
}

fn since_epoch(moment: SystemTime) -> Duration {
    moment.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_microseconds() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_709_210_096_000_007, "2024-02-29T12:34:56.000007Z"),
            (1_709_210_096_999_999, "2024-02-29T12:34:56.999999Z"),
        ];
        for (micros, expected) in cases {
            assert_eq!(iso8601(UNIX_EPOCH + Duration::from_micros(micros)), expected);
        }
        assert_eq!(iso8601(UNIX_EPOCH + Duration::from_secs(400_000_000_000)), "9999-12-31T23:59:59.000000Z");
    }

    #[test]
    fn nothing_is_left_of_a_deadline_that_is_over() {
        let second = Duration::from_secs(1);
        assert_eq!(Deadline::at(UNIX_EPOCH).left(Duration::ZERO), Duration::ZERO);
        assert_eq!(Deadline::at(SystemTime::now() + second).left(second), Duration::ZERO);
        assert!(Deadline::at(SystemTime::now() + second * 1000).left(second) > second * 900);
    }

    proptest::proptest! {
        #[test]
        fn later_times_sort_later_as_text(a in 0_u64..4_000_000_000_000_000, b in 0_u64..4_000_000_000_000_000) {
            let text = |micros| iso8601(UNIX_EPOCH + Duration::from_micros(micros));
            proptest::prop_assert_eq!(a.cmp(&b), text(a).cmp(&text(b)));
        }
    }
}
