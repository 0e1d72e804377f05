//! How long a mapping waits before a retry: 100 ms, then twice as long each time, at most 5 s.
//! Lambda's own times are not published.

use std::time::Duration;

use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The wait after that many failures in a row.
pub(super) fn after(failures: u32) -> Duration {
    FIRST.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST)
}

/// The pause of a poller that was throttled.
#[derive(Debug)]
pub(super) struct Rest {
    failures: u32,
    pub until: Instant,
}

impl Rest {
    /// No pause.
    pub(super) fn none() -> Self {
        Self { failures: 0, until: Instant::now() }
    }

    /// An invocation was throttled; several at the same time count once.
    pub(super) fn throttled(&mut self) {
        let now = Instant::now();
        if self.until <= now {
            self.failures += 1;
            self.until = now + after(self.failures);
        }
    }

    /// An invocation ran.
    pub(super) fn ran(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_maximum() {
        for (failures, ms) in [(0, 100), (1, 100), (2, 200), (3, 400), (6, 3200), (7, 5000), (u32::MAX, 5000)] {
            assert_eq!(after(failures), Duration::from_millis(ms), "{failures}");
        }
    }
}
