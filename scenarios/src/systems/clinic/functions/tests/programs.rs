//! Starts the programs themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
#[path = "../../../../../../stack/functions/tests/support/programs.rs"]
mod programs;

programs! {
    "authorizer": "EXTERNAL_ISSUER",
    "appointments": "TABLE_NAME",
}
