//! E-5: a record that is sent again is stored once: under one key, by one execution.

use std::collections::BTreeSet;

use super::book::RecordBook;
use super::known::Rested;
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;

pub(crate) fn once() -> Rule<RecordBook> {
    each("E-5", "a record that is sent again has one key in the archive and one execution", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    // A record that was sent once and stored once could not have been stored twice, so it is no
    // check. Nor is one that left no trace.
    let came_once = known.answers.len() < 2 && known.stored.len() < 2 && known.executions.len() < 2;
    let came_to_nothing = known.stored.is_empty() && known.executions.is_empty();
    if came_once || came_to_nothing {
        return Judgement::None;
    }
    let keys: BTreeSet<_> = known.stored.iter().map(|stored| &stored.key).collect();
    let expected = (keys.len() > 1 || known.executions.len() > 1).then_some("one key in the archive, and one execution");
    Judgement::of(expected.map(|expected| words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_record_that_is_stored_again_breaks_the_rule() {
        let key = "records/a-7-000001";
        for (what, story, expected) in [
            ("sent once", Story::new(1).whole(), (0, 0)),
            ("sent again", Story::new(1).whole().again(2.0), (0, 1)),
            ("stored again under its key", Story::new(1).whole().stored(2.0, key), (0, 1)),
            ("stored again under another key", Story::new(1).whole().again(2.0).stored(2.5, "records/a-7-000001/2"), (1, 1)),
            ("executed again", Story::new(1).whole().again(2.0).started_as(2.1, "a-7-000001-5f2c"), (1, 1)),
        ] {
            assert_eq!(broken(once(), &story.events()), expected, "{what}");
        }
    }
}
