//! C-9: a well-formed mail is retried before it is given up, and not given up without cause: the
//! aim "DLQ empty of well-formed mail" as a rule. C-2 judges a mail that was sent on and is in the
//! dead-letter queue too.

use crate::exchange::Expected;

use super::book::{MailBook, each};
use super::rested::{Left, Rested};
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

/// One or two transient errors must not lead to a dead letter.
const FEWEST_RECEIVES: u32 = 3;

pub(crate) fn dead_letters() -> Rule<MailBook> {
    each("C-9", "no well-formed mail is given up after one transient error, nor without any fault", rule)
}

fn rule(rested: &Rested) -> Found {
    let well_formed = matches!(rested.mail.expected, Expected::Delivered { .. } | Expected::Fallback);
    if !well_formed || rested.trip.left.is_none() {
        return NOTHING;
    }
    let expected = if !rested.trip.ended_as(Left::DeadLetter) {
        None
    } else if rested.trip.receives < FEWEST_RECEIVES {
        Some("tried again, since it is well-formed")
    } else if !rested.came_out() && !rested.failure_is_explained() {
        Some("processed, since it is well-formed")
    } else {
        None
    };
    checked(expected.map(|expected| words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_well_formed_mail_is_given_up_only_when_faults_leave_no_other_way() {
        for (what, story, expected) in [
            ("delivered", Story::new(1).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("delivered at the second try", Story::new(1).received(1.0).struck(1.1, "refuse").received(2.0).sent(2.1).deleted(2.2), (0, 1)),
            ("given up after one error", Story::new(1).deliveries(1, Some("refuse")).redriven(2.0), (1, 1)),
            ("given up after two", Story::new(1).deliveries(2, Some("refuse")).redriven(3.0), (1, 1)),
            ("every delivery is struck", Story::new(1).deliveries(5, Some("refuse")).redriven(6.0), (0, 1)),
            ("given up for nothing", Story::new(1).deliveries(5, None).redriven(6.0), (1, 1)),
            ("given up for an error long ago", Story::new(1).deliveries(5, None).struck(1.2, "refuse").redriven(6.0), (1, 1)),
            (
                "an attempt died and its claim outlived the retries",
                Story::new(1).deliveries(5, None).struck(1.2, "kill-middle").redriven(6.0),
                (0, 1),
            ),
            ("delivered too, which is another rule's", Story::new(1).deliveries(5, None).sent(1.1).redriven(6.0), (0, 1)),
            ("without a list", Story::new(1).expected(Expected::Fallback).deliveries(1, Some("refuse")).redriven(2.0), (1, 1)),
            ("malformed", Story::new(1).expected(Expected::DeadLetter).deliveries(1, None).redriven(2.0), (0, 0)),
            ("still in the queue", Story::new(1).deliveries(1, Some("refuse")), (0, 0)),
        ] {
            assert_eq!(broken(dead_letters(), &story.events()), expected, "{what}");
        }
    }
}
