//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `users-api`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsersWeakness {
    /// Answers before the row is written.
    WriteNotAwaited,
    /// A failing table is answered with 404.
    OutageReadsAsAbsence,
    /// A create of an id that exists replaces it.
    CreateOverwrites,
}

impl Weakness for UsersWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("write-not-awaited", Self::WriteNotAwaited),
        ("outage-reads-as-absence", Self::OutageReadsAsAbsence),
        ("create-overwrites", Self::CreateOverwrites),
    ];
}
