//! E-3: no notice reports a failure as a success, and an execution that succeeded has done
//! everything.

use super::book::RecordBook;
use super::known::Rested;
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;

pub(crate) fn failure_is_no_success() -> Rule<RecordBook> {
    each("E-3", "every notice and all its results say ok, and an execution that succeeded has its object, both flags and closed", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    if known.notices.is_empty() && !known.succeeded() {
        return Judgement::None;
    }
    if rested.may_be_misled() {
        return Judgement::Right;
    }
    let expected = if known.tells_of_failure() {
        Some("no notice while anything has failed")
    } else if known.succeeded() && !known.is_done() {
        Some("archived, described and closed, since its execution succeeded")
    } else {
        None
    };
    Judgement::of(expected.map(|expected| words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_failure_reported_as_a_success_breaks_the_rule() {
        let story = || Story::new(1).started(0.7);
        let both = || story().archived(1.0).described(1.0);
        for (what, story, expected) in [
            ("whole", Story::new(1).whole(), (0, 1)),
            ("failed before any notice", story().dead(9.0).failed(9.1, "X"), (0, 0)),
            ("failed after a notice", both().dead(9.0).failed(9.1, "X"), (0, 1)),
            ("a result that is none", both().completed_with(1.2, "error").succeeded(1.3), (1, 1)),
            ("succeeded without its object", story().described(1.0).closed(1.1).completed(1.2).succeeded(1.3), (1, 1)),
            ("succeeded and not closed", both().completed(1.2).succeeded(1.3), (1, 1)),
            ("nothing is known of the answer", Story::new(1).answered(502).started(0.7).completed(1.2).succeeded(1.3), (1, 1)),
            ("an answer was put in its place", both().struck(1.0, "replace").completed(1.2).succeeded(1.3), (0, 1)),
        ] {
            assert_eq!(broken(failure_is_no_success(), &story.events()), expected, "{what}");
        }
    }
}
