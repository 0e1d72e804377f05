//! The real binary between a mock of the Runtime API and a mock of a runtime.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod answers;
mod calm;
mod concurrency;
mod emulator;
mod events;
mod fail_open;
mod faults;
mod large_events;
mod layer;
mod messages;
mod metrics;
mod once;
mod outbound;
mod plan_sources;
mod process;
mod processes;
mod secrets;
mod support;
