//! The exit codes that do not come from a verdict.

/// An internal error.
pub const INTERNAL: u8 = 1;

/// The input was invalid, or the command could not be carried out.
pub const COULD_NOT_RUN: u8 = 2;
