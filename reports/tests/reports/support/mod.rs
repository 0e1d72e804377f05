//! What the tests of `reports` share: made-up worlds whose truth is known, runs in them, and questions to the real code.

#![allow(dead_code, reason = "each test program uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

pub mod questions;
pub mod runs;
pub mod worlds;
