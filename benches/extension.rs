//! Placeholder for cargo while the others are written.
fn main() {}
