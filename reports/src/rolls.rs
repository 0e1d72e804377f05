//! The rolls of a request: which faults were about it and which of them struck. Arms are as rolled
//! (intention to treat): a strike that could not be carried out stays in its arm, or the arms would
//! differ by more than chance.

use serde::{Deserialize, Serialize};

/// A set of an experiment's faults, by their index in its list; it can hold the first 64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultSet(u64);

impl FaultSet {
    /// The most faults of an experiment.
    pub const MOST: usize = 64;

    /// The set of this one fault.
    pub const fn of(index: usize) -> Self {
        Self(if index < Self::MOST { 1 << index } else { 0 })
    }

    /// From [`Self::bits`].
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Bit 0 is the first fault.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Adds a fault.
    pub const fn insert(&mut self, index: usize) {
        self.0 |= Self::of(index).0;
    }

    /// Whether the set contains the fault.
    pub const fn has(self, index: usize) -> bool {
        self.0 & Self::of(index).0 != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the two sets have no fault in common.
    pub const fn is_disjoint(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }
}

/// The arm under which a request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmTag {
    /// At least one fault was rolled to strike.
    Treatment,
    /// Faults were about it, and no roll struck.
    Control,
    /// No fault was about it (another endpoint, a cached decision, no plan in force).
    Untouched,
}

impl ArmTag {
    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Treatment => "treatment",
            Self::Control => "control",
            Self::Untouched => "untouched",
        }
    }
}

/// The rolls of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rolls {
    /// The faults that were about it.
    pub about: FaultSet,
    /// Of these, those that struck, at any of its calls if each call has its own roll.
    pub struck: FaultSet,
    /// Of these, those that struck the first call. Whether later calls are struck depends on the
    /// number of retries, so effects use only this one.
    pub first: FaultSet,
}

impl Rolls {
    /// No fault was about it.
    pub const NONE: Self = Self { about: FaultSet(0), struck: FaultSet(0), first: FaultSet(0) };

    /// One fault was about it, with one roll.
    pub const fn one(fault: usize, struck: bool) -> Self {
        let struck = if struck { FaultSet::of(fault) } else { FaultSet(0) };
        Self { about: FaultSet::of(fault), struck, first: struck }
    }

    /// The arm.
    pub const fn arm(self) -> ArmTag {
        if !self.struck.is_empty() {
            ArmTag::Treatment
        } else if !self.about.is_empty() {
            ArmTag::Control
        } else {
            ArmTag::Untouched
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arm_follows_from_the_rolls() {
        let mut both = Rolls::one(0, false);
        assert_eq!((Rolls::NONE.arm(), both.arm(), Rolls::one(63, true).arm()), (ArmTag::Untouched, ArmTag::Control, ArmTag::Treatment));
        both.about.insert(5);
        both.struck.insert(5);
        assert_eq!((both.arm(), both.about.has(0), both.struck.has(0)), (ArmTag::Treatment, true, false));
        assert!(FaultSet::of(64).is_empty() && both.first.is_disjoint(both.struck));
    }
}
