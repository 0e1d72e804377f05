//! What must always hold of the greeting, one file a rule.

mod g1_nobody_turned_away;

use crate::invariants::{Invariant, Judge};

/// The rules in the order of their ids.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![Box::new(Judge::new((), vec![g1_nobody_turned_away::nobody_turned_away()]))]
}
