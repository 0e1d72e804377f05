//! The programs themselves, as they start.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../../../../../../stack/functions/tests/support/programs.rs"]
mod programs;

const PROGRAMS: [(&str, &str); 4] = [
    (env!("CARGO_BIN_EXE_ingest-record"), "STATE_MACHINE_ARN"),
    (env!("CARGO_BIN_EXE_archive-record"), "ARCHIVE_BUCKET"),
    (env!("CARGO_BIN_EXE_describe-record"), "NOTICES_TOPIC"),
    (env!("CARGO_BIN_EXE_close-record"), "CACHE_URL"),
];

#[test]
fn every_function_points_itself_at_the_extension() {
    programs::point_themselves_at_the_extension(&PROGRAMS);
}

#[test]
fn a_missing_variable_ends_the_start_and_is_named() {
    programs::name_what_is_missing(&PROGRAMS);
}
