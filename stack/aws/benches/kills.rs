//! A thousand runs, each killed at a random moment, then recovered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a bench fails by panicking")]

#[path = "../tests/aws/support/kills.rs"]
mod kills;
#[path = "../tests/aws/support/mod.rs"]
mod support;

fn main() {
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let begun = std::time::Instant::now();
    let tally = kills::kill(1_000);
    println!("1000 of 1000 as they were, {tally:?}, in {:.0} s", begun.elapsed().as_secs_f64());
}
