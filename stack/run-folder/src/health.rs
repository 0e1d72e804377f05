//! The platform's own counts, so that a slow machine is not taken for a slow stack.

use serde::{Deserialize, Serialize};

/// The platform's own counts since it came up; they only increase.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Invocations accepted.
    pub invocations: u64,
    /// Environments started.
    pub environments: u64,
    /// Invocations that waited for an environment although the function's concurrency allowed
    /// another one: the machine is the bottleneck.
    pub queued: u64,
    /// How long those waited, as counts by upper bound in milliseconds: 1, 2, 4 ... 32768.
    pub queued_by_ms: [u64; 16],
    /// Throttled by reserved concurrency.
    pub throttled: u64,
    /// Environments that crashed or timed out.
    pub ended_badly: u64,
}
