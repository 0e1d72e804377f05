//! Attach, undo, recover, arm, seed and FIS against a strict control plane, moto and an interpreter of SSM's documents.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod aliases;
mod arm;
mod canary;
mod crash_points;
mod documents;
mod fis;
mod game_day;
mod hands;
mod inverse;
mod kills;
mod logs;
mod moto;
mod named_stack;
mod publish;
mod refusals;
mod runs;
mod seed;
mod seed_program;
mod stack_program;
mod support;

#[path = "support/automation.rs"]
#[allow(dead_code, reason = "the real clock is for others")]
mod automation;
#[path = "support/bench.rs"]
mod bench;
#[path = "support/clinic.rs"]
mod clinic;
#[path = "../../exports/tests/support/example.rs"]
mod example;
