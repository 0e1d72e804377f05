//! What must always hold in this system, one file per rule. The rules are pure: they receive what
//! happened and report what was wrong.

pub(crate) mod book;
pub(crate) mod c1_nothing_lost;
pub(crate) mod c2_one_end;
pub(crate) mod c3_no_duplicates;
pub(crate) mod c4_right_readers;
pub(crate) mod c5_own_object_working_link;
pub(crate) mod c6_no_blocking;
pub(crate) mod c7_none_expires;
pub(crate) mod c8_list_stays_inside;
pub(crate) mod c9_dead_letters;
pub(crate) mod dispositions;
pub(crate) mod rested;
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
        c1_nothing_lost::nothing_lost().of_services(),
        c2_one_end::one_end().of_services(),
        c3_no_duplicates::no_duplicates().of_services(),
        c4_right_readers::right_readers().of_services(),
        c5_own_object_working_link::own_object_working_link().of_services(),
        c6_no_blocking::no_blocking().of_services(),
        c7_none_expires::none_expires().of_services(),
        c8_list_stays_inside::list_stays_inside().of_services(),
        c9_dead_letters::dead_letters().of_services(),
    ];
    vec![Box::new(Judge::new(book::MailBook::default(), rules))]
}
