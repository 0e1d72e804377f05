//! A run killed at random moments is recovered from the function alone. `cargo bench -p aws` does
//! it a thousand times.

#[path = "support/kills.rs"]
mod drivers;

#[test]
fn a_run_killed_at_any_moment_is_recovered_from_the_function_alone() {
    println!("{:?}", drivers::kill(30));
}
