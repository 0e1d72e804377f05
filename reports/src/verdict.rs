//! The six things that a run can show, with their exit codes.

use serde::{Deserialize, Serialize};

/// What a run shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every aim and invariant held, and the faults were proven to have struck.
    Held,
    /// The run was not carried out.
    CouldNotRun,
    /// An aim or an invariant is broken.
    Broken,
    /// Neither held nor broken.
    NotShown,
    /// A stop condition fired.
    Stopped,
    /// Something is still attached.
    NotRestored,
}

impl Verdict {
    /// The process's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::CouldNotRun => 2,
            Self::Broken => 3,
            Self::NotShown => 4,
            Self::Stopped => 5,
            Self::NotRestored => 6,
        }
    }

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::CouldNotRun => "could-not-run",
            Self::Broken => "broken",
            Self::NotShown => "not-shown",
            Self::Stopped => "stopped",
            Self::NotRestored => "not-restored",
        }
    }
}
