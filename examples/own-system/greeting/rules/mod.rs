//! What must always hold of the greeting, one file a rule. Pure: they are told what happened and say what was wrong with it.

mod g1_nobody_turned_away;

use crate::invariants::Invariant;

/// The rules in the order of their ids.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    vec![Box::new(g1_nobody_turned_away::NobodyTurnedAway)]
}
