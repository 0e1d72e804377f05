//! The functions through the real SDK clients, against a small cloud on loopback that can be told
//! to fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod appointments;
mod audit;
mod audit_memory;
mod authorizer;
mod cache;
mod cloud;
mod email_processor;
mod ingest_record;
mod mail;
mod memory;
mod pool;
mod process;
mod prune_users;
mod record_sign_in;
mod tables;
mod tasks;
mod template;
mod thermostat_api;
mod tokens;
mod users_api;
