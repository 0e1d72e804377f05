//! What holds for the project itself: arrows, circles, licences, templates, words.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod circles;
mod layers;
mod licences;
mod templates;
mod tidy;
