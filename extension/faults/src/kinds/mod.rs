//! The kinds of fault, one file each. Each takes a roll and returns an [`Action`].

pub mod error;
pub mod latency;
pub mod response;
pub mod timeout;

use serde::{Deserialize, Serialize};

use crate::{Action, Complaint, Roll};

/// What goes wrong, with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Kind {
    /// The event or the answer is held back for a while.
    Latency(latency::Latency),
    /// The invocation fails, with or without the handler having run.
    Error(error::Failure),
    /// Another answer takes the place of the handler's.
    Response(response::Replacement),
    /// The event is held until the deadline, or a share of it, has passed.
    Timeout(timeout::Hold),
}

/// The names of all kinds, in the order of [`Kind`].
pub const NAMES: [&str; 4] = ["latency", "error", "response", "timeout"];

impl Kind {
    /// The name under which it is written.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::Error(_) => "error",
            Self::Response(_) => "response",
            Self::Timeout(_) => "timeout",
        }
    }

    /// What to do with an invocation that is struck.
    pub fn decide(&self, roll: Roll) -> Action {
        match self {
            Self::Latency(latency) => latency.decide(roll),
            Self::Error(failure) => failure.decide(),
            Self::Response(replacement) => replacement.decide(),
            Self::Timeout(hold) => hold.decide(),
        }
    }

    /// Everything wrong with the settings.
    pub fn complaints(&self) -> Vec<Complaint> {
        match self {
            Self::Latency(latency) => latency.complaints(),
            Self::Error(failure) => failure.complaints(),
            Self::Response(replacement) => replacement.complaints(),
            Self::Timeout(hold) => hold.complaints(),
        }
    }

    /// Whether a cloud service can be struck by it, or only a function.
    pub const fn fits_a_service(&self) -> bool {
        matches!(self, Self::Latency(_) | Self::Error(_))
    }

    /// The names of the kinds that fit a service, for messages.
    pub const fn names_for_services() -> &'static str {
        "`latency` or `error`"
    }

    /// Whether two faults on one invocation can both hold: only waits combine.
    pub const fn combines_with(&self, other: &Self) -> bool {
        matches!(self, Self::Latency(_)) || matches!(other, Self::Latency(_))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kinds");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
        files.sort();
        let mut names = super::NAMES.map(str::to_owned);
        names.sort();
        assert_eq!(files, names);
    }
}
