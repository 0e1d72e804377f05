//! What must always hold of this system, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub(crate) mod book;
pub(crate) mod d1_expired_is_disabled;
pub(crate) mod d2_active_stays_enabled;
pub(crate) mod d3_sign_in_is_recorded;
pub(crate) mod d4_only_expiry_disables;
pub(crate) mod d5_bad_record_blocks_none;
pub(crate) mod d6_re_enable_stands;
pub(crate) mod d7_newest_wins;
pub(crate) mod d8_within_quota;
pub(crate) mod expiries;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;

use std::time::Duration;

use crate::invariants::Invariant;

/// The rules in the order of their ids, where a row lives for `life` after a sign-in.
pub(crate) fn all(life: Duration) -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(d1_expired_is_disabled::ExpiredIsDisabled::default()),
        Box::new(d2_active_stays_enabled::ActiveStaysEnabled::new(life)),
        Box::new(d3_sign_in_is_recorded::SignInIsRecorded::new(life)),
        Box::new(d4_only_expiry_disables::OnlyExpiryDisables::default()),
        Box::new(d5_bad_record_blocks_none::BadRecordBlocksNone::default()),
        Box::new(d6_re_enable_stands::ReEnableStands::default()),
        Box::new(d7_newest_wins::NewestWins::default()),
        Box::new(d8_within_quota::WithinQuota::default()),
    ]
}
