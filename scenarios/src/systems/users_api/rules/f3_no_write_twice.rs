//! F-3: a repeated create changes nothing.

use super::book::{Question, UserBook, each};
use crate::invariants::Rule;

pub(crate) fn no_write_twice() -> Rule<UserBook> {
    each("F-3", "a repeated create changes nothing: the same again is 200, other values are 409", Question::NoWriteTwice)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Life;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_create_of_an_existing_user_is_answered_200_or_409_and_changes_nothing() {
        let there = || Life::new().create("Jane", 201).get("Jane");
        for (what, life, expected) in [
            ("the same again", there().create("Jane", 200), (0, 1)),
            ("other values", there().create("Joan", 409).get("Jane"), (0, 1)),
            ("the same again is new", there().create("Jane", 201), (1, 1)),
            ("other values are new", there().create("Joan", 201), (1, 1)),
            ("other values are the same", there().create("Joan", 200), (1, 1)),
            ("the same is something else", there().create("Jane", 409), (1, 1)),
            ("refused, and written", there().create("Joan", 409).get("Joan"), (1, 2)),
            ("failed, and written", there().create("Joan", 502).get("Joan"), (1, 1)),
            ("failed, and not written", there().create("Joan", 502).get("Jane"), (0, 0)),
            ("after a replacement that may have been", there().update("Joan", 502).create("Joan", 409), (0, 1)),
            ("nobody has seen the first", Life::new().create("Jane", 201).create("Joan", 201), (0, 0)),
            ("the first was deleted", there().delete(204).create("Joan", 201).get("Joan"), (0, 0)),
            ("the first may be deleted", there().delete(502).create("Joan", 201).get("Joan"), (0, 0)),
            ("the fault's own answer", there().create("Joan", 201).at_function(), (0, 0)),
        ] {
            assert_eq!(broken(no_write_twice(), &life.events()), expected, "{what}");
        }
    }
}
