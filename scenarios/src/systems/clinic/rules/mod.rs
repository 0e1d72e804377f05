//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod b1_never_opens;
pub(crate) mod b2_never_wrongly_closes;
pub(crate) mod b3_no_amplification;
pub(crate) mod b4_revoked_right_ends;
pub(crate) mod b5_namesakes;
pub(crate) mod b6_rotated_key_heals;
pub(crate) mod denials;

use std::time::Duration;

use super::policies;
use crate::invariants::cedar::{ClinicOracle, OracleError};
use crate::invariants::{Invariant, Judge};

/// The rules in the order of their ids; the gateway caches an authorizer's answer for `cache`.
///
/// # Errors
/// If the policies cannot be read: without them nothing can be judged.
pub(crate) fn all(cache: Duration) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let rules = vec![
        b1_never_opens::never_opens(),
        b2_never_wrongly_closes::never_wrongly_closes(),
        b3_no_amplification::no_amplification(),
        b4_revoked_right_ends::revoked_right_ends(cache).of_services(),
        b5_namesakes::namesakes(),
        b6_rotated_key_heals::rotated_key_heals().of_services(),
    ];
    Ok(vec![Box::new(Judge::new(denials::Denials::new(ClinicOracle::new(&policies())?), rules))])
}
