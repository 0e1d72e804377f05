//! C-1: every accepted mail ends with its readers, in the fallback topic or in the dead-letter
//! queue. C-7 judges a mail that expires.

use std::time::Duration;

use crate::systems::mail::MOST_RECIPIENTS;

use crate::exchange::Expected;
use crate::strike::Handler;

use super::book::{MailBook, each};
use super::rested::{Left, Rested};
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

/// How long an accepted mail may take to reach the queue.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

pub(crate) fn nothing_lost() -> Rule<MailBook> {
    each("C-1", "every mail that is taken ends with its readers, in the fallback topic or in the dead-letter queue", rule)
}

fn rule(rested: &Rested) -> Found {
    let expected = match rested.trip.left {
        Some((_, Left::Expired)) => return NOTHING,
        Some((_, Left::DeadLetter)) => return checked(None),
        // If a fault replaced a failure with a success, the fault is responsible.
        Some((_, Left::Deleted)) if has_an_end(rested) || was_answered_for(rested) => return checked(None),
        Some((_, Left::Deleted)) => "to all its readers, to the fallback topic or among the dead letters before it is deleted",
        None if rested.trip.began() || rested.mail.done + ON_ITS_WAY > rested.at => return NOTHING,
        None => "in the queue once it was taken",
    };
    checked(Some(words::breach(rested, expected)))
}

/// Whether it was sent in full. C-4 judges wrong readers and readers missing within a group.
fn has_an_end(rested: &Rested) -> bool {
    match &rested.mail.expected {
        Expected::Delivered { readers } if rested.notices == 0 => {
            let mut groups = readers.chunks(MOST_RECIPIENTS);
            let astray = rested.sent.iter().flat_map(|sent| &sent.to).any(|to| !readers.contains(to));
            astray || !rested.sent.is_empty() && groups.all(|group| group.iter().any(|reader| rested.reached(reader)))
        }
        _ => rested.came_out(),
    }
}

fn was_answered_for(rested: &Rested) -> bool {
    rested.last_strikes().any(|struck| matches!(struck.handler(), Handler::Replaced | Handler::Misled))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn a_mail_without_an_end_is_lost() {
        let story = || Story::new(1).received(1.0);
        let large = || Story::new(1).for_readers(51).received(1.0);
        let readers = large().readers();
        for (what, story, expected) in [
            ("delivered", story().sent(1.1).deleted(1.2), (0, 1)),
            ("in the fallback topic", story().expected(Expected::Fallback).noticed(1.1).deleted(1.2), (0, 1)),
            ("among the dead letters", story().redriven(6.0), (0, 1)),
            ("expired, which is another rule's", story().expired(6.0), (0, 0)),
            ("still in the queue", story(), (0, 0)),
            ("taken and never stored", Story::new(1).never_queued(), (1, 1)),
            ("taken a moment before the end", Story::new(1).at(598.0).never_queued(), (0, 0)),
            ("acknowledged and nowhere", story().deleted(1.2), (1, 1)),
            ("acknowledged and nowhere, while a call was refused", story().struck(1.1, "disturb").deleted(1.2), (1, 1)),
            ("acknowledged by a fault, not by the function", story().struck(1.1, "replace").deleted(1.2), (0, 1)),
            ("the second group is missing", large().sent_to(1.1, &readers[..50], &[]).deleted(1.2), (1, 1)),
            ("both groups have it", large().sent(1.1).deleted(1.2), (0, 1)),
            ("malformed and acknowledged", story().expected(Expected::DeadLetter).deleted(1.2), (1, 1)),
            ("malformed and among the dead letters", story().expected(Expected::DeadLetter).redriven(6.0), (0, 1)),
            ("too large, so refused", Story::new(1).expected(Expected::Refused).never_queued(), (0, 0)),
        ] {
            assert_eq!(broken(nothing_lost(), &story.events()), expected, "{what}");
        }
    }
}
