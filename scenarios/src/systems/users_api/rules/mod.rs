//! What must always hold of this system, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub(crate) mod book;
pub(crate) mod f1_acknowledged_is_kept;
pub(crate) mod f2_outage_is_no_absence;
pub(crate) mod f3_no_write_twice;
pub(crate) mod rule;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;

use crate::invariants::Invariant;

/// The rules in the order of their ids.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(f1_acknowledged_is_kept::AcknowledgedIsKept::default()),
        Box::new(f2_outage_is_no_absence::OutageIsNoAbsence::default()),
        Box::new(f3_no_write_twice::NoWriteTwice::default()),
    ]
}
