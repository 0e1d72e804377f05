//! Starts the programs themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[macro_use]
#[path = "../../../../../../stack/functions/tests/support/programs.rs"]
mod programs;

programs! {
    "ingest-record": "STATE_MACHINE_ARN",
    "archive-record": "ARCHIVE_BUCKET",
    "describe-record": "NOTICES_TOPIC",
    "close-record": "CACHE_URL",
}
