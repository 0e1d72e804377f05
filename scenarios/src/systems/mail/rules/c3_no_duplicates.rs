//! C-3: no reader gets a mail twice. One case cannot be avoided, because SES has no idempotency
//! key: an attempt that dies between handing over a group of readers and remembering it. Each
//! strike that can do that excuses one group; a lost acknowledgement excuses nothing.

use std::collections::BTreeSet;

use super::book::{MailBook, each};
use super::rested::{Left, Rested};
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

pub(crate) fn no_duplicates() -> Rule<MailBook> {
    each("C-3", "nobody gets a mail twice, also when its acknowledgement is lost", rule)
}

fn rule(rested: &Rested) -> Found {
    if !rested.came_out() {
        return NOTHING;
    }
    // C-2 judges a notice that is repeated until the mail is in the dead-letter queue.
    let told_again = if rested.trip.ended_as(Left::DeadLetter) { 0 } else { rested.notices.saturating_sub(1) };
    let again = repeats(rested) + told_again as usize;
    checked((again > rested.unsure_strikes()).then(|| words::breach(rested, "once to every reader, however often it is handed out")))
}

/// How often it was handed to SES for a reader who had it already.
fn repeats(rested: &Rested) -> usize {
    let mut have_it = BTreeSet::new();
    rested.sent.iter().filter(|sent| sent.to.iter().filter(|to| !have_it.insert(to.as_str())).count() > 0).count()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::exchange::Expected;
    use crate::invariants::fixtures::broken;

    #[test]
    fn only_a_death_in_the_middle_of_the_work_excuses_one_group() {
        let twice = |action: &str| Story::new(1).received(1.0).sent(1.1).struck(1.2, action).received(2.0).sent(2.1).deleted(2.2);
        let groups = Story::new(1).for_readers(51);
        let (first, last) = (groups.readers()[..50].to_vec(), groups.readers()[50..].to_vec());
        let groups = |again: &[String]| {
            let story = Story::new(1).for_readers(51).received(1.0).sent_to(1.1, &first, &[]).struck(1.2, "kill-middle").received(2.0);
            story.sent_to(2.1, &last, &[]).sent_to(2.2, again, &[]).deleted(2.3)
        };
        let notices = Story::new(1).expected(Expected::Fallback).received(1.0).noticed(1.1).received(2.0).noticed(2.1);
        for (what, story, expected) in [
            ("once", Story::new(1).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("not at all", Story::new(1).received(1.0).redriven(6.0), (0, 0)),
            ("again after a lost acknowledgement", twice("lose-answer"), (1, 1)),
            ("again, for the event was handed over twice", twice("hand-twice"), (1, 1)),
            ("again, for the answer was damaged", twice("cut"), (1, 1)),
            ("again after a refusal that the handler never saw", twice("refuse"), (1, 1)),
            ("again after a death in the middle", twice("kill-middle"), (0, 1)),
            ("again after a timeout", twice("hold-of-deadline"), (0, 1)),
            ("two groups, none of them twice", Story::new(1).for_readers(51).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("the group under way at the death comes again", groups(&first), (0, 1)),
            ("again without any fault", Story::new(1).received(1.0).sent(1.1).sent(1.3).deleted(1.4), (1, 1)),
            ("two notices", notices.clone().deleted(2.2), (1, 1)),
            ("two notices and the dead letters, which is another rule's", notices.redriven(6.0), (0, 1)),
        ] {
            assert_eq!(broken(no_duplicates(), &story.events()), expected, "{what}");
        }
        let both = groups(&first).sent_to(2.25, &last, &[]);
        assert_eq!(broken(no_duplicates(), &both.events()), (1, 1), "one death doubles one group");
    }
}
