//! Numbers become a verdict, and a verdict becomes files. Pure but for the files that the caller names: no clock, no socket.

pub mod expectation;
pub mod latencies;
pub mod measurements;

pub use expectation::{Bound, Expectation};
pub use latencies::{ArmTag, Latencies, Outcome, Phase, Tag};
pub use measurements::Measurements;
