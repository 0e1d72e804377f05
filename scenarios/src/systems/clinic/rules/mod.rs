//! What must always hold of this system, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub(crate) mod b1_never_opens;
pub(crate) mod b2_never_wrongly_closes;
pub(crate) mod b3_no_amplification;
pub(crate) mod b4_revoked_right_ends;
pub(crate) mod b5_namesakes;
pub(crate) mod b6_rotated_key_heals;
pub(crate) mod denials;

use std::sync::Arc;
use std::time::Duration;

use super::policies;
use crate::invariants::Invariant;
use crate::invariants::cedar::{ClinicOracle, OracleError};

/// The rules in the order of their ids, where the gateway keeps an authorizer's answer for `cache`.
///
/// # Errors
/// Where the policies cannot be read: without them nothing can be called right.
pub(crate) fn all(cache: Duration) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let oracle = Arc::new(ClinicOracle::new(&policies())?);
    Ok(vec![
        Box::new(b1_never_opens::NeverOpens::new(Arc::clone(&oracle))),
        Box::new(b2_never_wrongly_closes::NeverWronglyCloses::new(Arc::clone(&oracle))),
        Box::new(b3_no_amplification::NoAmplification::new(oracle)),
        Box::new(b4_revoked_right_ends::RevokedRightEnds::new(cache)),
        Box::new(b5_namesakes::Namesakes),
        Box::new(b6_rotated_key_heals::RotatedKeyHeals),
    ])
}
