//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod book;
pub(crate) mod f1_acknowledged_is_kept;
pub(crate) mod f2_outage_is_no_absence;
pub(crate) mod f3_no_write_twice;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;

use crate::invariants::{Invariant, Judge};

/// The rules in the order of their ids.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    let rules = vec![
        f1_acknowledged_is_kept::acknowledged_is_kept(),
        f2_outage_is_no_absence::outage_is_no_absence(),
        f3_no_write_twice::no_write_twice(),
    ];
    vec![Box::new(Judge::new(book::UserBook::default(), rules))]
}
