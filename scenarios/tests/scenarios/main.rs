//! The generator, its clients and the traffic of the systems against real sockets.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod audit;
mod devices;
mod generator;
mod mail_and_users;
mod open_model;
mod support;
mod traffic;
mod users_api;
