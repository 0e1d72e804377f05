//! A run killed at random moments is recovered from the function alone. `cargo bench -p aws` does
//! it a thousand times.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/kills.rs"]
mod kills;
mod support;

#[test]
fn a_run_killed_at_any_moment_is_recovered_from_the_function_alone() {
    println!("{:?}", kills::kill(30));
}
