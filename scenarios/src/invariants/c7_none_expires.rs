//! C-7: no message outlives the queue's retention: what expires there is gone without a trace.

use crate::Event;

use super::mail_book::{Left, MailBook, Rested, judge};
use super::{Breach, Invariant, NOTHING, Quiet, checked, mail_words};

#[derive(Default)]
pub(super) struct NoneExpires {
    book: MailBook,
}

fn rule(rested: &Rested) -> (Vec<Breach>, u64) {
    if rested.trip.left.is_none() {
        return NOTHING;
    }
    let expired = rested.trip.ended_as(Left::Expired);
    checked(expired.then(|| mail_words::breach(rested, "processed, or kept among the dead letters, before the queue forgets it")))
}

impl Invariant for NoneExpires {
    fn id(&self) -> &'static str {
        "C-7"
    }

    fn rule(&self) -> &'static str {
        "no message expires unread"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        judge(&self.book.see(event), rule)
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        judge(&self.book.settled(quiet), rule)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures_mail::{Story, broken};
    use super::*;

    #[test]
    fn only_what_expires_in_the_queue_of_new_mail_is_named() {
        let elsewhere = stack::Seen::Expired { queue: stack::world::mail::DEAD_LETTERS.into(), message: "q-1".into(), count: 5 };
        for (what, story, expected) in [
            ("never handed out", Story::new(1).expired(30.0), (1, 1)),
            ("handed out and expired all the same", Story::new(1).received(1.0).expired(30.0), (1, 1)),
            ("delivered", Story::new(1).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("still in the queue", Story::new(1), (0, 0)),
            ("expired among the dead letters", Story::new(1).redriven(6.0).saw(90.0, elsewhere), (0, 1)),
        ] {
            assert_eq!(broken(NoneExpires::default(), &story.events()), expected, "{what}");
        }
    }
}
