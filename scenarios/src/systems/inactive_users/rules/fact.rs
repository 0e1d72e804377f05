//! One thing that happened to a member.

/// One thing that happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The row was put or updated.
    Written {
        expires: Option<i64>,
    },
    /// The harness put the row, as if the last sign-in had been long ago.
    Seeded,
    /// A call deleted the row.
    RowDeleted,
    /// The row expired.
    Expired,
    /// The record of its end was given up; it is kept in a queue, or nowhere.
    GivenUp {
        kept: bool,
    },
    /// The pool granted a sign-in.
    SignedIn,
    Disabled,
    Enabled,
    /// An administrator enabled the member again.
    EnabledByHand,
    /// The member was deleted.
    Removed,
}
