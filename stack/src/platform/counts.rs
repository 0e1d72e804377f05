//! The platform's own counts. They only increase, and nothing waits for them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Health;

/// One platform's counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub invocations: Count,
    pub environments: Count,
    pub throttled: Count,
    pub ended_badly: Count,
    queued: Count,
    queued_by_ms: [Count; 16],
}

/// A number that only increases.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    /// An invocation that waited at the function's limit.
    pub(crate) fn waited(&self, time: Duration) {
        self.queued.add();
        let bound = (0..15).find(|power| time <= Duration::from_millis(1 << power)).unwrap_or(15);
        if let Some(count) = self.queued_by_ms.get(bound) {
            count.add();
        }
    }

    /// All of them now.
    pub(crate) fn health(&self) -> Health {
        let mut queued_by_ms = [0; 16];
        for (number, count) in queued_by_ms.iter_mut().zip(&self.queued_by_ms) {
            *number = count.read();
        }
        Health {
            invocations: self.invocations.read(),
            environments: self.environments.read(),
            queued: self.queued.read(),
            queued_by_ms,
            throttled: self.throttled.read(),
            ended_badly: self.ended_badly.read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_under_its_upper_bound() {
        for (us, bound) in [(0, 0), (1000, 0), (1001, 1), (2000, 1), (4100, 3), (32_768_000, 15), (99_000_000, 15)] {
            let counts = Counts::default();
            counts.waited(Duration::from_micros(us));
            assert_eq!(counts.health().queued_by_ms.iter().position(|count| *count == 1), Some(bound), "{us} us");
            assert_eq!(counts.health().queued, 1);
        }
    }
}
