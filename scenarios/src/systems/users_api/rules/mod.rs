//! What must always hold of this system, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub(crate) mod book;
pub(crate) mod f1_acknowledged_is_kept;
pub(crate) mod f2_outage_is_no_absence;
pub(crate) mod f3_no_write_twice;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;

use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, Judge, WorldUnderTest};

/// The rules, where the system is up, in the order of their ids.
///
/// # Errors
/// Where the policies cannot be read: without them nothing can be called right.
pub(crate) fn all(world: &WorldUnderTest) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    if !world.users_api {
        return Ok(Vec::new());
    }
    let rules = vec![
        f1_acknowledged_is_kept::acknowledged_is_kept(),
        f2_outage_is_no_absence::outage_is_no_absence(),
        f3_no_write_twice::no_write_twice(),
    ];
    Ok(vec![Box::new(Judge::new(book::UserBook::default(), rules))])
}
