//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `record-sign-in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignInWeakness {
    /// Overwrites the row even if it holds a newer sign-in.
    LateWriteWins,
}

impl Weakness for SignInWeakness {
    const ALL: &'static [(&'static str, Self)] = &[("late-write-wins", Self::LateWriteWins)];
}

/// A weakness of `prune-users`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PruneWeakness {
    /// Does not check, before or after, whether the user has signed in again.
    NoCheckBeforeDisable,
    /// Disables users without a rate limit.
    NoRateLimit,
    /// One user who cannot be disabled fails the whole batch, even a user who does not exist any
    /// more.
    WholeBatchFails,
}

impl Weakness for PruneWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("no-check-before-disable", Self::NoCheckBeforeDisable),
        ("no-rate-limit", Self::NoRateLimit),
        ("whole-batch-fails", Self::WholeBatchFails),
    ];
}
