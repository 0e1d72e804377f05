//! What the platform counts of itself, so that a slow machine is not taken for a slow stack.

use serde::{Deserialize, Serialize};

/// The platform's own counts since it came up; they only rise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Invocations taken.
    pub invocations: u64,
    /// Environments started.
    pub environments: u64,
    /// Invocations that waited for an environment although the function's concurrency allowed another: the machine is the bottleneck.
    pub queued: u64,
    /// The waits of those, as counts by upper bound in milliseconds: 1, 2, 4 ... 32768.
    pub queued_by_ms: [u64; 16],
    /// Throttled by reserved concurrency.
    pub throttled: u64,
    /// Environments that crashed or ran into their timeout.
    pub ended_badly: u64,
}
