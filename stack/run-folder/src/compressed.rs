//! Compressed time: what AWS does after minutes or days happens here so many times sooner, so that a quarter of an hour of losing mail shows in seconds.
//! It is a setting of the run, never a default, and the report says it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many times faster than at AWS the services' long waits go. The functions' own time, their timeouts and quotas by the second stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compressed {
    /// Of queues: visibility, retention, delay, and the alarms on them; 1 to 10,000.
    pub queues: u32,
    /// Of time to live: what is left of a row's life when it is written; 1 to 1,000,000.
    pub expiry: u32,
}

impl Default for Compressed {
    fn default() -> Self {
        Self { queues: 1, expiry: 1 }
    }
}

impl Compressed {
    /// The most for queues: a retention of a quarter of an hour is then 90 ms.
    pub const MOST_FOR_QUEUES: u32 = 10_000;
    /// The most for time to live: a life of 30 days is then 2.6 s.
    pub const MOST_FOR_EXPIRY: u32 = 1_000_000;

    /// A queue's span here.
    pub fn queue(self, at_aws: Duration) -> Duration {
        at_aws / self.queues.max(1)
    }

    /// A row's life here.
    pub fn life(self, at_aws: Duration) -> Duration {
        at_aws / self.expiry.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shorter_by_the_factor_and_as_it_is_without_one() {
        let (normal, fast) = (Compressed::default(), Compressed { queues: 30, expiry: 8640 });
        let (quarter, day) = (Duration::from_secs(900), Duration::from_secs(86_400));
        assert_eq!((normal.queue(quarter), normal.life(day)), (quarter, day));
        assert_eq!((fast.queue(quarter), fast.life(day)), (Duration::from_secs(30), Duration::from_secs(10)));
    }
}
