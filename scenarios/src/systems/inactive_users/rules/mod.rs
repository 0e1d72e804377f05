//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod book;
pub(crate) mod d1_expired_is_disabled;
pub(crate) mod d2_active_stays_enabled;
pub(crate) mod d3_sign_in_is_recorded;
pub(crate) mod d4_only_expiry_disables;
pub(crate) mod d5_bad_record_blocks_none;
pub(crate) mod d6_re_enable_stands;
pub(crate) mod d7_newest_wins;
pub(crate) mod d8_within_quota;
pub(crate) mod dispositions;
pub(crate) mod expiries;
pub(crate) mod fact;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod histories;

use std::time::Duration;

use crate::invariants::{Invariant, Judge};

/// The rules in the order of their ids; a row lives for `life` after a sign-in.
pub(crate) fn all(life: Duration) -> Vec<Box<dyn Invariant>> {
    let rules = vec![
        d1_expired_is_disabled::expired_is_disabled().of_services(),
        d2_active_stays_enabled::active_stays_enabled(life).of_services(),
        d3_sign_in_is_recorded::sign_in_is_recorded(life).of_services(),
        d4_only_expiry_disables::only_expiry_disables().of_services(),
        d5_bad_record_blocks_none::bad_record_blocks_none().of_services(),
        d6_re_enable_stands::re_enable_stands().of_services(),
        d7_newest_wins::newest_wins().of_services(),
        d8_within_quota::within_quota().of_services(),
    ];
    vec![Box::new(Judge::new(book::MemberBook::default(), rules))]
}
