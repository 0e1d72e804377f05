//! E-1: every record answered 200 is archived, with its four notices, or the dead-letter queue
//! names it.

use std::time::Duration;

use super::book::RecordBook;
use super::known::{Known, NoticeKind, Rested};
use super::rule::{Judgement, each};
use super::words;
use crate::invariants::Rule;

/// How long after the answer this may take.
const WITHIN: Duration = Duration::from_secs(300);

pub(crate) fn nothing_lost() -> Rule<RecordBook> {
    each("E-1", "every record answered 200 has its object, both flags and its four notices, or is in the dead-letter queue", rule)
}

fn rule(rested: &Rested) -> Judgement {
    let known = &rested.known;
    let Some(accepted) = known.accepted_at() else { return Judgement::None };
    // If a fault replaced a failure with a success, the fault is responsible.
    if !known.dead.is_empty() || rested.may_be_misled() {
        return Judgement::Right;
    }
    if known.is_under_way() && accepted + WITHIN > rested.at {
        return Judgement::None;
    }
    let expected = if known.succeeded() {
        // E-3 judges what a successful execution lacks besides its notices, and a notice that
        // reports a failure.
        if known.tells_of_failure() || !known.is_done() || whole_notices(known, accepted + WITHIN) {
            return Judgement::Right;
        }
        "its four notices within five minutes"
    } else {
        "archived with its four notices, or named in the dead-letter queue, within five minutes"
    };
    Judgement::of(Some(words::breach(rested, expected)))
}

fn whole_notices(known: &Known, until: Duration) -> bool {
    let came = |kind| known.notices.iter().any(|notice| notice.kind == Some(kind) && notice.at <= until);
    NoticeKind::ALL.into_iter().all(came)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn an_accepted_record_without_an_end_is_lost() {
        let story = || Story::new(1).started(0.7);
        let both = || story().archived(1.0).described(1.0);
        for (what, story, expected) in [
            ("whole", Story::new(1).whole(), (0, 1)),
            ("given up", story().dead(15.0).failed(15.1, "NeighbourFailed"), (0, 1)),
            ("ended without a trace", story().failed(1.0, "Lambda.Unknown"), (1, 1)),
            ("archived, then ended without a trace", story().archived(1.0).failed(2.0, "Lambda.Unknown"), (1, 1)),
            ("no execution at all", Story::new(1), (1, 1)),
            ("under way", story().archived(1.0), (1, 1)),
            ("under way, accepted a moment before the end", Story::new(1).later(400.0).started(0.7), (0, 0)),
            ("succeeded without a notice of the closing", both().flagged(1.1, "closed").completed(1.2).succeeded(1.3), (1, 1)),
            ("closed too late", both().closed(1.1).completed(302.0).succeeded(302.1), (1, 1)),
            ("its final notice tells of a failure", both().completed_with(1.2, "error").succeeded(1.3), (0, 1)),
            ("refused", Story::new(1).answered(503), (0, 0)),
            ("not known whether", Story::new(1).answered(502).started(0.7).failed(1.0, "Lambda.Unknown"), (0, 0)),
            ("a success was put in its place", story().struck(0.9, "replace").failed(1.0, "X"), (0, 1)),
        ] {
            assert_eq!(broken(nothing_lost(), &story.events()), expected, "{what}");
        }
    }

    #[test]
    fn a_loss_is_reported_once_however_often_the_record_is_sent_again() {
        let mut events = Story::new(1).started(0.7).failed(1.0, "Lambda.Unknown").events();
        events.extend(Story::new(1).again(8.0).events());
        assert_eq!(broken(nothing_lost(), &events), (1, 1));
    }
}
