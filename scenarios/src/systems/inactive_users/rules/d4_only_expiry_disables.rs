//! D-4: only the end of a row disables, never its deletion by hand.

use std::time::Duration;

use super::book::{Due, MemberBook, SLACK, each};
use super::fact::Fact;
use super::words;
use crate::invariants::{Breach, Rule};

/// The record of an expiry may be processed late, and the row deleted by hand meanwhile.
const LATE: Duration = Duration::from_secs(60);

pub(crate) fn only_expiry_disables() -> Rule<MemberBook> {
    let is_check = |fact: &Fact| matches!(fact, Fact::Disabled | Fact::RowDeleted);
    each("D-4", "only the end of a row disables, never a delete by hand", is_check, wrong)
}

fn wrong(book: &MemberBook, due: &Due) -> Option<Breach> {
    let history = book.history(&due.sub).filter(|_| due.fact == Fact::Disabled)?;
    let expired = history.last(due.at + SLACK, |fact| *fact == Fact::Expired);
    let deleted = history.last(due.at, |fact| *fact == Fact::RowDeleted);
    let answered = match (expired, deleted) {
        (None, None) => "disabled, and its row has never expired".to_owned(),
        (expired, Some(deleted)) if expired.is_none_or(|expired| expired + LATE < deleted) => {
            format!("its row was deleted by hand, and it was disabled {}", words::after(due.at, deleted))
        }
        _ => return None,
    };
    Some(words::breach(book, &due.sub, due.at, answered, "disabled only when its row expires"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_delete_by_hand_disables_no_member() {
        let new = || Life::new(1).seeded(1.0, 100);
        for (what, life, expected) in [
            ("expired", new().expired(6.0).disabled(6.2), (0, 1)),
            ("expired, and told a moment late", new().disabled(6.0).expired(6.2), (0, 1)),
            ("deleted, and left alone", new().row_deleted(6.0), (0, 2)),
            ("deleted, and disabled", new().row_deleted(6.0).disabled(6.2), (1, 3)),
            ("disabled out of the blue", new().disabled(6.2), (1, 1)),
            ("expired long ago, then deleted, and disabled", new().expired(6.0).sign_in(7.0, 200).row_deleted(90.0).disabled(90.2), (1, 3)),
            ("processed late, and deleted meanwhile", new().expired(6.0).sign_in(7.0, 200).row_deleted(8.0).disabled(9.0), (0, 3)),
        ] {
            assert_eq!(broken(only_expiry_disables(), &life.events()), expected, "{what}");
        }
    }
}
