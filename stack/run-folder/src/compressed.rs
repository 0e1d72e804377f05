//! Compressed time: what takes AWS minutes or days happens here that many times sooner, so that
//! mail loss after a quarter of an hour shows within seconds. It is a setting of the run, never a
//! default, and the report states it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many times faster than at AWS the services' long waits run. The functions' own time, their
/// timeouts and quotas per second are unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compressed {
    /// For queues: visibility, retention, delay, and the alarms on them; 1 to 10,000.
    pub queues: u32,
    /// For time to live: the rest of a row's life when it is written; 1 to 1,000,000.
    pub expiry: u32,
}

impl Default for Compressed {
    fn default() -> Self {
        Self { queues: 1, expiry: 1 }
    }
}

impl Compressed {
    /// The largest factor for queues: a retention of a quarter of an hour is then 90 ms.
    pub const MOST_FOR_QUEUES: u32 = 10_000;
    /// The largest factor for time to live: a life of 30 days is then 2.6 s.
    pub const MOST_FOR_EXPIRY: u32 = 1_000_000;

    /// A queue's time span, compressed.
    pub fn queue(self, at_aws: Duration) -> Duration {
        at_aws / self.queues.max(1)
    }

    /// A row's life, compressed.
    pub fn life(self, at_aws: Duration) -> Duration {
        at_aws / self.expiry.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shorter_by_the_factor_and_unchanged_without_one() {
        let (normal, fast) = (Compressed::default(), Compressed { queues: 30, expiry: 8640 });
        let (quarter, day) = (Duration::from_secs(900), Duration::from_secs(86_400));
        assert_eq!((normal.queue(quarter), normal.life(day)), (quarter, day));
        assert_eq!((fast.queue(quarter), fast.life(day)), (Duration::from_secs(30), Duration::from_secs(10)));
    }
}
