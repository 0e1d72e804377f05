//! C-2: no mail ends in two ways.

use super::book::{MailBook, each};
use super::rested::{Left, Rested};
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

pub(crate) fn one_end() -> Rule<MailBook> {
    each("C-2", "no mail ends in two of these: with its readers, in the fallback topic, in the dead-letter queue", rule)
}

/// If the last delivery was struck, or an attempt that died still held the mail, finished work
/// cannot be acknowledged and the mail also goes to the dead-letter queue. No function can prevent
/// that.
fn rule(rested: &Rested) -> Found {
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
    checked(twice.map(|expected| words::breach(rested, expected)))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Story, ses_strike};
    use super::*;
    use crate::exchange::Expected;
    use crate::invariants::Book;
    use crate::invariants::fixtures::broken;
    use reports::ArmTag;

    #[test]
    fn a_mail_that_ends_twice_breaks_the_rule_unless_its_last_delivery_was_struck() {
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
    fn rule_and_table_see_the_same_two_ends_whatever_a_notice_says() {
        let table = |events: &[crate::Event]| {
            let mut book = MailBook::default();
            events.iter().for_each(|event| drop(book.see(event)));
            book.tables(&|_| ArmTag::Control)[0].of_these[1].total()
        };
        let readers = ["a@x.com".to_owned()];
        for (subject, words, names) in [
            (None, r#"{"messageId":"id-1","title":"x"}"#, true),
            (None, r#"{"id":"id-1"}"#, true),
            (None, "nobody to send s3://incoming/id-1 to", true),
            (Some("not sent: [m-7-000001] Reading"), "see the log", true),
            (None, "some mail could not be sent", false),
            (None, "of another mail: id-11", false),
        ] {
            let told = |story: Story| story.expected(Expected::Fallback).noticed_as(1.1, subject, words);
            let both = told(Story::new(1).received(1.0)).sent_to(1.2, &readers, &[]).deleted(1.3);
            let dead = told(Story::new(1).deliveries(5, None)).redriven(6.0);
            let one = told(Story::new(1).received(1.0)).deleted(1.3);
            for (story, twice) in [(both, names), (dead, names), (one, false)] {
                let mut late = story.events();
                late.rotate_left(1);
                for events in [story.events(), late] {
                    assert_eq!(broken(one_end(), &events).0, usize::from(twice), "{subject:?} {words}");
                    assert_eq!(table(&events), u64::from(twice), "{subject:?} {words}");
                }
            }
        }
    }

    #[test]
    fn a_strike_with_an_unknown_message_counts_for_mails_under_way() {
        let events = |at: f64| {
            let mut events = Story::new(1).deliveries(5, None).sent(5.1).redriven(6.0).events();
            events.push(ses_strike(at, None));
            events
        };
        assert_eq!(broken(one_end(), &events(5.2)), (0, 1));
        assert_eq!(broken(one_end(), &events(60.0)), (1, 1));
    }
}
