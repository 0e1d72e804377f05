//! The emulator: its platform and its services, called as the SDKs call them.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod libraries;
mod mail;
mod members;
mod platform;
mod redis;
mod services;
mod services_data;
mod services_mail;
