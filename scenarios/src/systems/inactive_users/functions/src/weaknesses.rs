//! The bugs of the functions' first published forms, each with its name, so that a test can show that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `record-sign-in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignInWeakness {
    /// Overwrites whatever is there, also what is newer.
    LateWriteWins,
}

impl Weakness for SignInWeakness {
    const ALL: &'static [(&'static str, Self)] = &[("late-write-wins", Self::LateWriteWins)];
}

/// A weakness of `prune-users`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PruneWeakness {
    /// Looks neither before nor after whether the user has signed in again.
    NoCheckBeforeDisable,
    /// Disables as fast as it can.
    NoRateLimit,
    /// One user who cannot be disabled fails the whole batch, also one who is no more.
    WholeBatchFails,
}

impl Weakness for PruneWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("no-check-before-disable", Self::NoCheckBeforeDisable),
        ("no-rate-limit", Self::NoRateLimit),
        ("whole-batch-fails", Self::WholeBatchFails),
    ];
}
