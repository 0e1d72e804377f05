//! What a run needs besides its plan, and what it gives.

use std::path::PathBuf;

use reports::measurements::Measurements;

use crate::stop_requests::{Asked, StopRequests};
use crate::story::Story;

/// What a run needs besides the plan.
pub struct Setting {
    /// Where everything is written.
    pub folder: PathBuf,
    /// The run's id.
    pub run: String,
    /// The command line that repeats it.
    pub command: String,
    /// Ctrl-C and SIGTERM.
    pub signals: Box<dyn StopRequests>,
}

/// The result of a run: the measurements, the signal that ended it, if one did, and what is told
/// of a wave.
pub struct Done {
    /// All measurements.
    pub measurements: Measurements,
    /// The signal.
    pub asked: Option<Asked>,
    /// Each request, if the run is a wave of an exploration.
    pub story: Option<Story>,
}
