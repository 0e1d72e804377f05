//! Turns measurements into a verdict, and a verdict into files. Pure except for the files that the
//! caller names: no clock, no socket.

pub mod aims;
pub mod baseline;
pub mod between;
mod between_md;
pub mod charts;
pub mod coarse;
pub mod compare;
pub mod counts;
mod deployment_row;
pub mod deployments;
pub mod dispositions;
pub mod distributions;
pub mod expectation;
pub mod explored;
pub mod formats;
pub mod history;
mod html_figures;
mod html_tables;
pub mod implied;
pub mod interference;
pub mod intervals;
mod judge;
pub mod latencies;
pub mod load_table;
pub mod machine;
pub mod measurements;
pub mod misses;
mod reached;
pub mod recovery;
pub mod report;
pub mod rolls;
mod sentence;
pub mod tables;
pub mod totals;
pub mod verdict;
pub mod words;
pub mod workers;

pub use dispositions::Dispositions;
pub use expectation::{AimArm, Bound, Expectation, Starts};
pub use formats::interval_log::{IntervalLogWriter, read_interval_log};
pub use formats::{render_again, write_all};
pub use judge::judge;
pub use latencies::{IntervalHistogram, Latencies, Outcome, Phase, Tag};
pub use measurements::Measurements;
pub use report::{Answer, Report};
pub use rolls::{ArmTag, FaultSet, Rolls};
pub use totals::{Label, Totals};
pub use verdict::Verdict;

#[cfg(test)]
mod sample;
