//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod book;
pub(crate) mod dispositions;
pub(crate) mod e1_nothing_lost;
pub(crate) mod e2_refused_is_refused;
pub(crate) mod e3_failure_is_no_success;
pub(crate) mod e4_byte_for_byte;
pub(crate) mod e5_once;
pub(crate) mod e6_cache_holds_it;
pub(crate) mod e7_never_more_than_four;
pub(crate) mod known;
pub(crate) mod rule;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod cross;
#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod histories;

use crate::invariants::{Invariant, Judge};

/// The rules in the order of their ids.
pub(crate) fn all() -> Vec<Box<dyn Invariant>> {
    let rules = vec![
        e1_nothing_lost::nothing_lost().of_services(),
        e2_refused_is_refused::refused_is_refused().of_services(),
        e3_failure_is_no_success::failure_is_no_success().of_services(),
        e4_byte_for_byte::byte_for_byte().of_services(),
        e5_once::once().of_services(),
        e6_cache_holds_it::cache_holds_it().of_services(),
        e7_never_more_than_four::never_more_than_four().of_services(),
    ];
    vec![Box::new(Judge::new(book::RecordBook::default(), rules))]
}
