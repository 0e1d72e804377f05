//! The kinds of fault, one file each. Each takes a roll and returns an [`Action`]; it must carry nothing out.

pub mod again;
pub mod dependency;
pub mod error;
pub mod event;
pub mod init;
pub mod kill;
pub mod latency;
pub mod resource;
pub mod response;
pub mod stream;
pub mod throttle;
pub mod timeout;

use serde::{Deserialize, Serialize};

use crate::{Action, Complaint, Roll, Trigger};

/// What every kind of fault provides.
pub trait Settings {
    /// What becomes of an invocation that is struck.
    fn decide(&self, roll: Roll) -> Action;

    /// Everything wrong with the settings.
    fn complaints(&self) -> Vec<Complaint>;

    /// How it is written in an experiment.
    const EXAMPLE: &'static str;

    /// What the caller sees, one row for each way in which the settings make a difference to it.
    const SEEN: &'static [Seen];
}

/// What the caller of a struck invocation sees.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// With which settings; empty where they make no difference.
    pub with: &'static str,
    /// In the order of [`Trigger::ALL`]. A text that begins with a number begins with the HTTP status.
    pub by: [&'static str; Trigger::ALL.len()],
}

/// The list of kinds: everything else is derived from it.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $module:ident: $name:ident($settings:ty),)+) => {
        /// What goes wrong, with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Kind {
            $($(#[doc = $doc])+ $name($settings),)+
        }

        /// The names of all kinds, in the order of [`Kind`].
        pub const NAMES: &[&str] = &[$(stringify!($module)),+];

        impl Kind {
            /// The name under which it is written.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($module),)+
                }
            }

            /// What to do with an invocation that is struck.
            pub fn decide(&self, roll: Roll) -> Action {
                match self {
                    $(Self::$name(settings) => settings.decide(roll),)+
                }
            }

            /// Everything wrong with the settings.
            pub fn complaints(&self) -> Vec<Complaint> {
                match self {
                    $(Self::$name(settings) => settings.complaints(),)+
                }
            }

            /// How the kind with this name is written in an experiment.
            pub fn example(name: &str) -> &'static str {
                match name {
                    $(stringify!($module) => <$settings>::EXAMPLE,)+
                    _ => "",
                }
            }

            /// What the caller sees of the kind with this name.
            pub fn seen(name: &str) -> &'static [Seen] {
                match name {
                    $(stringify!($module) => <$settings>::SEEN,)+
                    _ => &[],
                }
            }
        }
    };
}

kinds! {
    /// The event or the answer is held back for a while.
    latency: Latency(latency::Latency),
    /// The invocation fails, with or without the handler having run.
    error: Error(error::Failure),
    /// Another answer takes the place of the handler's, or its bytes are cut, corrupted or dropped.
    response: Response(response::Replacement),
    /// The bytes of the answer come late, slowly, or break off.
    stream: Stream(stream::Pace),
    /// The event is handed over a second time.
    again: Again(again::Again),
    /// The event is altered before the handler sees it.
    event: Event(event::Edits),
    /// The event is held until the deadline, or a share of it, has passed.
    timeout: Timeout(timeout::Hold),
    /// The runtime's process is killed.
    kill: Kill(kill::Kill),
    /// The environment starts slowly or not at all.
    init: Init(init::Init),
    /// Several invocations in a row are refused.
    throttle: Throttle(throttle::Burst),
    /// The environment is short of CPU, memory or disk while the handler runs.
    resource: Resource(resource::Pressure),
    /// The function's calls to a host fail or are slow.
    dependency: Dependency(dependency::Outage),
}

/// The names of the kinds that can strike a cloud service; the others need a function.
pub const FIT_A_SERVICE: &[&str] = &["latency", "error"];

impl Kind {
    /// Whether a cloud service can be struck by it, or only a function.
    pub fn fits_a_service(&self) -> bool {
        FIT_A_SERVICE.contains(&self.name())
    }

    /// Whether it can be done only if the event shows what invoked the function, and that this asks for no permission.
    pub const fn depends_on_trigger(&self) -> bool {
        match self {
            Self::Event(_) => true,
            Self::Response(answer) => answer.raw.is_some(),
            _ => false,
        }
    }

    /// Whether it can be done to an invocation of this trigger. An invocation of another trigger passes untouched.
    pub fn fits(&self, trigger: Trigger) -> bool {
        match self {
            Self::Event(edits) => edits.fits(trigger),
            Self::Response(answer) => answer.fits(trigger),
            _ => true,
        }
    }

    /// Whether it decides how the invocation ends. Of several such faults only one can be carried out on an invocation.
    pub const fn ends_the_invocation(&self) -> bool {
        match self {
            Self::Error(_) | Self::Response(_) | Self::Stream(_) | Self::Timeout(_) | Self::Kill(_) | Self::Throttle(_) => true,
            Self::Latency(_) | Self::Again(_) | Self::Event(_) | Self::Init(_) | Self::Resource(_) | Self::Dependency(_) => false,
        }
    }

    /// Whether it only takes time: the caller still gets the handler's own answer, so that an error of a struck request is the system's.
    pub const fn only_takes_time(&self) -> bool {
        matches!(self, Self::Latency(_) | Self::Again(_) | Self::Resource(_))
    }

    /// Whether two faults can both be carried out on one invocation: at most one of them may decide how it ends.
    pub const fn combines_with(&self, other: &Self) -> bool {
        !(self.ends_the_invocation() && other.ends_the_invocation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kinds");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
        files.sort();
        let mut names = NAMES.to_vec();
        names.sort_unstable();
        assert_eq!(files, names);
    }

    #[test]
    fn every_kind_says_what_the_caller_sees() {
        for name in NAMES {
            let seen = Kind::seen(name);
            assert!(!seen.is_empty(), "{name}");
            assert!(seen.iter().flat_map(|row| row.by).all(|text| !text.is_empty()), "{name}");
        }
    }
}
