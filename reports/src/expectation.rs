//! What an experiment expects of an endpoint.

use faults::{Share, time::Time};
use serde::{Deserialize, Serialize};

use crate::latencies::Tag;
use crate::misses::Miss;
use crate::rolls::{ArmTag, FaultSet};
use crate::words::percent;

/// An aim for one endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// The endpoint, by the name in its scenario.
    pub of: String,
    /// The bound that it must keep.
    pub bound: Bound,
    /// The arm that is judged. `None` means [`AimArm::Struck`] if a fault with a share below 1 is
    /// about the endpoint, else [`AimArm::All`].
    #[serde(default)]
    pub arm: Option<AimArm>,
    /// The requests that are judged, by whether they waited for a new environment.
    #[serde(default)]
    pub starts: Starts,
}

/// Which requests an aim judges, by whether they waited for a new environment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starts {
    /// All of them.
    #[default]
    All,
    /// Those that did not wait for one.
    Warm,
    /// Those that did.
    Cold,
}

impl Starts {
    /// Whether it includes a request; `cold` says that the request waited for a new environment.
    pub const fn has(self, cold: bool) -> bool {
        match self {
            Self::All => true,
            Self::Warm => !cold,
            Self::Cold => cold,
        }
    }
}

/// The requests that an aim judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AimArm {
    /// Those that a fault struck.
    Struck,
    /// Those that were struck only by faults that are not errors themselves.
    Delayed,
    /// Those that were not struck: control, and those that no fault was about.
    NotStruck,
    /// Those that a fault could have struck and did not.
    Control,
    /// Those that no fault was about.
    Untouched,
    /// All.
    All,
}

impl AimArm {
    /// The text for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Struck => "struck",
            Self::Delayed => "struck, by no error",
            Self::NotStruck => "not struck",
            Self::Control => "control",
            Self::Untouched => "untouched",
            Self::All => "all",
        }
    }

    /// Whether a request belongs to it; `errors` are the faults that are errors themselves.
    pub fn has(self, tag: &Tag, errors: FaultSet) -> bool {
        match self {
            Self::Struck => tag.arm() == ArmTag::Treatment,
            Self::Delayed => tag.arm() == ArmTag::Treatment && tag.rolls.struck.is_disjoint(errors),
            Self::NotStruck => tag.arm() != ArmTag::Treatment,
            Self::Control => tag.arm() == ArmTag::Control,
            Self::Untouched => tag.arm() == ArmTag::Untouched,
            Self::All => true,
        }
    }
}

/// An upper limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// At most half of the requests in the fault phase fail or take longer than this.
    P50(Time),
    /// At most a tenth of them.
    P90(Time),
    /// At most a hundredth of them.
    P99(Time),
    /// At most this share of the requests in the fault phase fails or times out.
    Errors(Share),
    /// p99 of treatment is at most this many times p99 of control, for every fault that is about the endpoint.
    P99Ratio(f64),
    /// After the calm, it takes at most this long until the other aims hold again for 5 s, and for
    /// the next 30 s as a whole.
    Recovery(Time),
}

impl Bound {
    /// The bound in words.
    pub fn asked(&self) -> String {
        match self {
            Self::P50(limit) => format!("p50 at most {limit}"),
            Self::P90(limit) => format!("p90 at most {limit}"),
            Self::P99(limit) => format!("p99 at most {limit}"),
            Self::Errors(limit) => format!("errors at most {}", percent(limit.value())),
            Self::P99Ratio(limit) => format!("p99 under fault at most {limit} times that without"),
            Self::Recovery(limit) => format!("recovery within {limit}"),
        }
    }

    /// When a request misses it, and the share that may; `None` for a bound that no single request
    /// can miss.
    pub fn allows(&self) -> Option<(Miss, f64)> {
        let longer = |limit: &Time| Miss::LongerThan(u64::try_from(limit.duration().as_micros()).unwrap_or(u64::MAX));
        match self {
            Self::P50(limit) => Some((longer(limit), 0.5)),
            Self::P90(limit) => Some((longer(limit), 0.1)),
            Self::P99(limit) => Some((longer(limit), 0.01)),
            Self::Errors(share) => Some((Miss::Failed, share.value())),
            Self::P99Ratio(_) | Self::Recovery(_) => None,
        }
    }

    /// The quantile that it is about.
    pub const fn quantile(&self) -> Option<f64> {
        match self {
            Self::P50(_) => Some(0.5),
            Self::P90(_) => Some(0.9),
            Self::P99(_) => Some(0.99),
            Self::Errors(_) | Self::P99Ratio(_) | Self::Recovery(_) => None,
        }
    }
}
