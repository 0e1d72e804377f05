//! The bugs of the functions' first published forms, each with its name, so that a test can show that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of the four functions of the audit, which share one list: some are two functions' doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditWeakness {
    /// A task whose neighbour failed returns that instead of raising it.
    FailureAsSuccess,
    /// Skips what is not in the alphabet when it decodes.
    LenientBase64,
    /// No row; each request is an execution and an object of its own.
    RepeatsStoredAgain,
    /// Takes the record out of the cache without looking at the flags.
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
