//! C-7: no message outlives the queue's retention period: a message that expires there is lost
//! without a trace.

use super::book::{MailBook, each};
use super::rested::{Left, Rested};
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

pub(crate) fn none_expires() -> Rule<MailBook> {
    each("C-7", "no message expires unread", rule)
}

fn rule(rested: &Rested) -> Found {
    if rested.trip.left.is_none() {
        return NOTHING;
    }
    let expired = rested.trip.ended_as(Left::Expired);
    checked(expired.then(|| words::breach(rested, "processed, or kept among the dead letters, before the queue forgets it")))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn only_a_message_that_expires_in_the_queue_of_new_mail_breaks_the_rule() {
        let elsewhere = run_folder::Seen::Expired { queue: crate::systems::mail::DEAD_LETTERS.into(), message: "q-1".into(), count: 5 };
        for (what, story, expected) in [
            ("never handed out", Story::new(1).expired(30.0), (1, 1)),
            ("handed out and expired all the same", Story::new(1).received(1.0).expired(30.0), (1, 1)),
            ("delivered", Story::new(1).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("still in the queue", Story::new(1), (0, 0)),
            ("expired among the dead letters", Story::new(1).redriven(6.0).saw(90.0, elsewhere), (0, 1)),
        ] {
            assert_eq!(broken(none_expires(), &story.events()), expected, "{what}");
        }
    }
}
