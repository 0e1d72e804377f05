//! F-1: a read shows the last acknowledged write to a user, or a write whose answer never came.

use super::book::{Question, UserBook, each};
use crate::invariants::Rule;

pub(crate) fn acknowledged_is_kept() -> Rule<UserBook> {
    each("F-1", "what a read says of a user is the last acknowledged write to it, or one whose answer never came", Question::Kept)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    fn found(life: Life) -> (usize, u64) {
        broken(acknowledged_is_kept(), &life.events())
    }

    #[test]
    fn an_acknowledged_write_is_read_until_the_next_write() {
        let life = Life::new().create("Jane", 201).get("Jane").update("Joan", 200).get("Joan").delete(204).gone();
        assert_eq!(found(life), (0, 3));
        assert_eq!(found(Life::new().create("Jane", 201).gone()), (1, 1));
        assert_eq!(found(Life::new().create("Jane", 201).update("Joan", 200).get("Jane")), (1, 1));
        assert_eq!(found(Life::new().create("Jane", 201).delete(204).get("Jane")), (1, 1));
        assert_eq!(found(Life::new().create("Jane", 201).update("Joan", 404)), (1, 1));
        assert_eq!(found(Life::new().get("Jane")), (1, 1));
    }

    #[test]
    fn a_write_without_an_answer_may_be_done_or_not_and_late() {
        for status in [0, 502, 503, 504] {
            let life = || Life::new().create("Jane", 201).update("Joan", status);
            assert_eq!(found(life().get("Jane").get("Joan").get("Jane")), (0, 3), "{status}");
            assert_eq!(found(life().gone()), (1, 1), "{status}");
            assert_eq!(found(life().update("Jill", 200).get("Joan")), (0, 1), "{status}: it lands late");
            assert_eq!(found(life().update("Jill", 200).get("Jane")), (1, 1), "{status}: nobody wrote that since");
        }
        assert_eq!(found(Life::new().create("Jane", 502).gone().get("Jane")), (0, 2));
        assert_eq!(found(Life::new().create("Jane", 201).delete(502).gone().get("Jane")), (0, 2));
        assert_eq!(found(Life::new().update("Jane", 502).get("Jane")), (1, 1), "a replacement makes nobody");
    }

    #[test]
    fn a_list_counts_for_users_it_shows_and_if_complete_for_those_it_does_not() {
        let life = || Life::new().create("Jane", 201);
        assert_eq!(found(life().list(Some("Jane"), true)), (0, 1));
        assert_eq!(found(life().list(Some("Joan"), false)), (1, 1));
        assert_eq!(found(life().list(None, false)), (0, 0));
        assert_eq!(found(life().list(None, true)), (1, 1));
    }

    #[test]
    fn an_answer_that_a_fault_at_the_function_may_have_made_says_nothing() {
        assert_eq!(found(Life::new().create("Jane", 201).gone().at_function()), (0, 0));
        assert_eq!(found(Life::new().create("Jane", 201).at_function().gone()), (0, 0), "nor does a write whose body may be another");
        assert_eq!(found(Life::new().create("Jane", 201).update("Joan", 502).at_function().get("Joan").gone()), (1, 2));
    }

    #[test]
    fn an_absence_at_a_struck_service_belongs_to_another_rule() {
        assert_eq!(found(Life::new().create("Jane", 201).gone().at_service()), (0, 0));
        assert_eq!(found(Life::new().create("Jane", 201).get("Joan").at_service()), (1, 1));
    }
}
