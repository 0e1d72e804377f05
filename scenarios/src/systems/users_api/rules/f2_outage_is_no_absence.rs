//! F-2: an existing user is never answered 404, whatever fails.

use super::book::{Question, UserBook, each};
use crate::invariants::Rule;

pub(crate) fn outage_is_no_absence() -> Rule<UserBook> {
    each("F-2", "a user that is there is never answered 404, whatever fails", Question::OutageIsNoAbsence)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn an_existing_user_is_not_absent_when_a_dependency_fails() {
        let created = || Life::new().create("Jane", 201);
        for (what, life, expected) in [
            ("an outage told as such", created().get_failed(503).at_service(), (0, 1)),
            ("slow, but right", created().get("Jane").at_service(), (0, 1)),
            ("an outage told as absence", created().gone().at_service(), (1, 1)),
            ("the same of a replacement", created().update("Joan", 404).at_service(), (1, 1)),
            ("a whole list without the user", created().list(None, true).at_service(), (1, 1)),
            ("a page without the user", created().list(None, false).at_service(), (0, 1)),
            ("no fault: another rule's", created().gone(), (0, 0)),
            ("the user is gone", created().delete(204).gone().at_service(), (0, 0)),
            ("the user may be gone", created().delete(503).at_service().gone().at_service(), (0, 0)),
            ("the user may never have been", Life::new().create("Jane", 503).at_service().gone().at_service(), (0, 0)),
            ("the fault's own answer", created().gone().at_function(), (0, 0)),
        ] {
            assert_eq!(broken(outage_is_no_absence(), &life.events()), expected, "{what}");
        }
    }
}
