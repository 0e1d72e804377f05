//! An experiment from its file to its measurements: read, checked, run, joined. It handles no
//! terminal and no signals: a run is shown to an [`Observer`] and stopped through [`StopRequests`].

mod access_log;
mod around;
pub mod bounds;
pub mod check;
mod deploy;
pub mod deployed;
pub mod explore;
pub mod file;
mod followed;
pub mod join;
mod leaks;
pub mod lease;
pub mod measured;
pub mod named_stack;
pub mod nearest;
pub mod observer;
pub mod own_stack;
pub mod plan;
pub mod processors;
pub mod record;
pub mod run;
mod run_error;
mod setting;
mod settle;
pub mod shipped;
mod sighted;
pub mod snapshot;
pub mod stop;
pub mod stop_requests;
pub mod story;
pub mod target;
pub mod targets;
pub mod windows;

pub use check::{Beside, check, check_in, check_load_in, check_load_with};
pub use observer::Observer;
pub use plan::Plan;
pub use stop_requests::{Asked, StopRequests};

pub use target::{Target, TargetError};

use protocol::chain;
