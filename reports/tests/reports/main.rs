//! What the numbers are judged to be, on data whose truth is known.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod between;
mod grid;
mod headline;
mod late_and_rare;
mod own_errors;
mod simulation;
mod support;
