//! The outcome of each expired row and of each sign-in, and the tables of the report. It judges
//! nothing.

use std::time::Duration;

use reports::{ArmTag, Dispositions as Table};

use super::fact::Fact;
use crate::invariants::table;

/// A row that expired, and what happened to its member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expiry {
    /// When the row was deleted.
    pub(crate) at: Duration,
    pub(crate) end: Expired,
}

/// What happened to a member whose row expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    Disabled,
    /// The record could not be processed and was given up.
    GivenUp,
    /// The member no longer existed.
    Gone,
    /// The member signed in again first.
    ActiveAgain,
    /// Nothing so far.
    InFlight,
}

/// The outcome of a sign-in by password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// Granted, and its row was written.
    Recorded,
    /// Granted, and no row was written for it.
    Lost,
    /// Refused by the pool.
    Refused,
    /// No answer, or an error of the services.
    Failed,
}

/// The expiries of one member. Facts up to the next expiry belong to the one before.
pub(super) fn of_member(facts: &[(Duration, Fact)]) -> Vec<Expiry> {
    let expired: Vec<_> = facts.iter().filter(|(_, fact)| *fact == Fact::Expired).map(|(at, _)| *at).collect();
    let end = |at: Duration| {
        let next = expired.iter().filter(|other| **other > at).min().copied().unwrap_or(Duration::MAX);
        let any = |from: Duration, is: fn(&Fact) -> bool| facts.iter().any(|(at, fact)| (from..next).contains(at) && is(fact));
        if any(at, |fact| *fact == Fact::Disabled) {
            Expired::Disabled
        } else if any(at, |fact| matches!(fact, Fact::GivenUp { .. })) {
            Expired::GivenUp
        } else if any(Duration::ZERO, |fact| *fact == Fact::Removed) {
            Expired::Gone
        } else if any(at, |fact| matches!(fact, Fact::Written { .. })) {
            Expired::ActiveAgain
        } else {
            Expired::InFlight
        }
    };
    expired.iter().map(|at| Expiry { at: *at, end: end(*at) }).collect()
}

/// Which facts decide the outcome of an expiry.
pub(super) fn decisive(facts: &[(Duration, Fact)]) -> Vec<bool> {
    let mut is_open = false;
    let decides = |(_, fact): &(Duration, Fact)| match fact {
        Fact::Expired => {
            is_open = true;
            true
        }
        Fact::Disabled | Fact::GivenUp { .. } | Fact::Removed => true,
        // Only the first sign-in after it.
        Fact::Written { .. } => std::mem::take(&mut is_open),
        _ => false,
    };
    facts.iter().map(decides).collect()
}

pub(super) fn sign_ins(all: &[(ArmTag, SignIn)]) -> Table {
    let ends: &[crate::invariants::Kind<SignIn>] = &[
        ("granted and recorded", |end| *end == SignIn::Recorded),
        ("granted and not recorded", |end| *end == SignIn::Lost),
        ("refused", |end| *end == SignIn::Refused),
        ("failed", |end| *end == SignIn::Failed),
    ];
    table("sign-ins by password", all, ends, &[])
}

pub(super) fn expiries(all: &[(ArmTag, Expired)]) -> Table {
    let ends: &[crate::invariants::Kind<Expired>] = &[
        ("the member was disabled", |end| *end == Expired::Disabled),
        ("given up, in the queue for failures", |end| *end == Expired::GivenUp),
        ("the member was gone", |end| *end == Expired::Gone),
        ("the member had signed in again", |end| *end == Expired::ActiveAgain),
        ("in flight", |end| *end == Expired::InFlight),
    ];
    table("records that ended", all, ends, &[])
}
