//! The exit codes that no verdict has.

/// An internal error.
pub const INTERNAL: u8 = 1;

/// Not understood, or not carried out.
pub const COULD_NOT_RUN: u8 = 2;
