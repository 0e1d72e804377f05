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

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::complaint::Complaint;
use crate::effect::Effect;
use crate::roll::Roll;
use crate::settings::{Seen, Settings};
use crate::trigger::Trigger;

/// The list of kinds, handed to the macro `$derive`: everything that is said of each kind is derived from it, in other crates too.
#[macro_export]
macro_rules! kinds {
    ($derive:ident) => {
        $derive! {
            /// The event or the answer is held back for a while.
            latency: Latency($crate::kinds::latency::Latency),
            /// The invocation fails, with or without the handler having run.
            error: Error($crate::kinds::error::Failure),
            /// Another answer takes the place of the handler's, or its bytes are cut, corrupted or dropped.
            response: Response($crate::kinds::response::Replacement),
            /// The bytes of the answer come late, slowly, or break off.
            stream: Stream($crate::kinds::stream::Pace),
            /// The event is handed over a second time.
            again: Again($crate::kinds::again::Again),
            /// The event is altered before the handler sees it.
            event: Event($crate::kinds::event::Edits),
            /// The event is held until the deadline, or a share of it, has passed.
            timeout: Timeout($crate::kinds::timeout::Hold),
            /// The runtime's process is killed.
            kill: Kill($crate::kinds::kill::Kill),
            /// The environment starts slowly or not at all.
            init: Init($crate::kinds::init::Init),
            /// Several invocations in a row are refused.
            throttle: Throttle($crate::kinds::throttle::Burst),
            /// The environment is short of CPU, memory or disk while the handler runs.
            resource: Resource($crate::kinds::resource::Pressure),
            /// The function's calls to a host fail or are slow.
            dependency: Dependency($crate::kinds::dependency::Outage),
        }
    };
}

macro_rules! kind {
    ($($(#[doc = $doc:literal])+ $module:ident: $name:ident($settings:ty),)+) => {
        /// What goes wrong, with its settings.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum Kind {
            $($(#[doc = $doc])+ $name($settings),)+
        }

        /// What is known of each kind, in the order of [`Kind`].
        pub const KINDS: &[Described] = &[$(Described {
            name: stringify!($module),
            example: <$settings>::EXAMPLE,
            seen: <$settings>::SEEN,
            fits_a_service: <$settings>::FITS_A_SERVICE,
        }),+];

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

            /// What it does to an invocation by this trigger, of a function with this timeout.
            pub fn effect(&self, trigger: Trigger, timeout: Duration) -> Effect {
                match self {
                    // It passes untouched.
                    _ if !self.fits(trigger) => Effect::NONE,
                    $(Self::$name(settings) => settings.effect(timeout),)+
                }
            }

            /// The seconds for which it holds a request up on average; 0 where it answers at once, or slows down by what is not known here.
            pub fn mean_wait_s(&self) -> f64 {
                match self {
                    $(Self::$name(settings) => settings.mean_wait_s(),)+
                }
            }

            /// Whether a cloud service can be struck by it, or only a function.
            pub const fn fits_a_service(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$settings>::FITS_A_SERVICE,)+
                }
            }

            /// Whether it can be done only if the event shows what invoked the function, and that this asks for no permission.
            pub fn depends_on_trigger(&self) -> bool {
                match self {
                    $(Self::$name(settings) => Settings::depends_on_trigger(settings),)+
                }
            }

            /// Whether it can be done to an invocation of this trigger. An invocation of another trigger passes untouched.
            pub fn fits(&self, trigger: Trigger) -> bool {
                match self {
                    $(Self::$name(settings) => Settings::fits(settings, trigger),)+
                }
            }

            /// Whether it decides how the invocation ends. Of several such faults only one can be carried out on an invocation.
            pub const fn ends_the_invocation(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$settings>::ENDS_THE_INVOCATION,)+
                }
            }

            /// Whether it only takes time: the caller still gets the handler's own answer, so that an error of a struck request is the system's.
            pub const fn only_takes_time(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$settings>::ONLY_TAKES_TIME,)+
                }
            }
        }
    };
}

crate::kinds!(kind);

/// What is known of a kind without its settings.
#[derive(Debug, Clone, Copy)]
pub struct Described {
    /// The name under which it is written.
    pub name: &'static str,
    /// How it is written in an experiment.
    pub example: &'static str,
    /// What the caller sees.
    pub seen: &'static [Seen],
    /// Whether a cloud service can be struck by it, too.
    pub fits_a_service: bool,
}

/// The kind of this name.
pub fn described(name: &str) -> Option<&'static Described> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl Kind {
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
        for Described { name, seen, .. } in KINDS {
            assert!(!seen.is_empty(), "{name}");
            assert!(seen.iter().flat_map(|row| row.by).all(|text| !text.is_empty()), "{name}");
        }
    }
}
