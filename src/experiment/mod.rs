//! From a file to what was measured.

pub mod bounds;
pub mod check;
mod deploy;
pub mod deployed;
pub mod file;
pub mod join;
pub mod lease;
pub mod measured;
pub mod plan;
pub mod record;
pub mod run;
mod run_error;
mod settle;
pub mod shipped;
mod sighted;
pub mod stop;
pub mod windows;

pub use check::check;
pub use plan::Plan;
