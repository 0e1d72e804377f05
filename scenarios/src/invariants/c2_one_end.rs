//! C-2: no mail ends in two ways.

use super::mail_book::{Left, Rested};
use super::mail_rule::MailRule;
use super::{Breach, NOTHING, checked, mail_words};

pub(super) fn one_end() -> MailRule {
    MailRule::new("C-2", "no mail ends in two of these: with its readers, in the fallback topic, in the dead-letter queue", rule)
}

/// What was done and could not be acknowledged, because the last delivery was struck or an attempt that died still held the mail,
/// goes to the dead-letter queue all the same: no function can help that.
fn rule(rested: &Rested) -> (Vec<Breach>, u64) {
    let dead = rested.trip.ended_as(Left::DeadLetter);
    let twice = if !rested.sent.is_empty() && rested.notices > 0 {
        Some("sent on or told to the fallback topic, not both")
    } else if rested.came_out() && dead && !rested.failure_is_explained() {
        Some("done with once it is sent on or told, not in the dead-letter queue too")
    } else if rested.came_out() || dead {
        None
    } else {
        return NOTHING;
    };
    checked(twice.map(|expected| mail_words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::broken;
    use super::super::fixtures_mail::{Story, ses_strike};
    use super::*;
    use crate::exchange::Expected;

    #[test]
    fn a_mail_that_ends_twice_is_named_unless_its_last_delivery_was_struck() {
        let no_list = || Story::new(1).expected(Expected::Fallback);
        for (what, story, expected) in [
            ("delivered", Story::new(1).received(1.0).sent(1.1).deleted(1.2), (0, 1)),
            ("still under way", Story::new(1).received(1.0), (0, 0)),
            ("raises after success", Story::new(1).deliveries(5, None).sent(1.1).redriven(6.0), (1, 1)),
            (
                "raises after success, once struck",
                Story::new(1).deliveries(5, None).sent(1.1).struck(1.2, "lose-answer").redriven(6.0),
                (1, 1),
            ),
            ("every acknowledgement is lost", Story::new(1).deliveries(5, Some("lose-answer")).sent(1.1).redriven(6.0), (0, 1)),
            (
                "an attempt died and its claim outlived the retries",
                Story::new(1).deliveries(5, None).sent(1.1).struck(1.2, "kill-middle").redriven(6.0),
                (0, 1),
            ),
            ("raises after the notice", no_list().deliveries(5, None).noticed(1.1).redriven(6.0), (1, 1)),
            ("a notice and nothing else", no_list().received(1.0).noticed(1.1).deleted(1.2), (0, 1)),
            ("a notice and a mail", no_list().received(1.0).noticed(1.1).sent_to(1.1, &["a@x.com".into()], &[]).deleted(1.2), (1, 1)),
        ] {
            assert_eq!(broken(one_end(), &story.events()), expected, "{what}");
        }
    }

    #[test]
    fn a_strike_whose_message_nobody_knows_counts_for_those_under_way() {
        let events = |at: f64| {
            let mut events = Story::new(1).deliveries(5, None).sent(5.1).redriven(6.0).events();
            events.push(ses_strike(at, None));
            events
        };
        assert_eq!(broken(one_end(), &events(5.2)), (0, 1));
        assert_eq!(broken(one_end(), &events(60.0)), (1, 1));
    }
}
