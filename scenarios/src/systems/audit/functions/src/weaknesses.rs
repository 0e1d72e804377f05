//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of the audit's four functions. They share one list, because some weaknesses take two
/// functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditWeakness {
    /// A task whose dependency failed returns the error instead of raising it.
    FailureAsSuccess,
    /// Skips characters outside the alphabet when it decodes.
    LenientBase64,
    /// Puts no row; each request is an execution and an object of its own.
    RepeatsStoredAgain,
    /// Deletes the record from the cache without checking the flags.
    ClosesAtOnce,
}

impl Weakness for AuditWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("failure-as-success", Self::FailureAsSuccess),
        ("lenient-base64", Self::LenientBase64),
        ("repeats-stored-again", Self::RepeatsStoredAgain),
        ("closes-at-once", Self::ClosesAtOnce),
    ];
}
