//! C-4: a mail goes to exactly the readers in its list. A whole group that is missing after a
//! failed send is lost, which C-1 judges.

use crate::systems::mail::MOST_RECIPIENTS;

use crate::exchange::Expected;

use super::book::{MailBook, each};
use super::rested::Rested;
use super::words;
use crate::invariants::{Found, NOTHING, Rule, checked};

pub(crate) fn right_readers() -> Rule<MailBook> {
    each("C-4", "a mail goes to exactly those in its list", rule)
}

fn rule(rested: &Rested) -> Found {
    if !rested.came_out() {
        return NOTHING;
    }
    let expected = match &rested.mail.expected {
        Expected::Delivered { readers } => wrong_readers(rested, readers),
        Expected::Fallback | Expected::DeadLetter | Expected::Refused if rested.sent.is_empty() => None,
        Expected::Fallback | Expected::DeadLetter | Expected::Refused => Some("nobody gets it, for it names nobody".to_owned()),
    };
    checked(expected.map(|expected| words::breach(rested, &expected)))
}

fn wrong_readers(rested: &Rested, readers: &[String]) -> Option<String> {
    if rested.sent.is_empty() {
        return Some("to those in its list, not to the fallback topic".to_owned());
    }
    if let Some(sent) = rested.sent.iter().find(|sent| sent.to.len() > MOST_RECIPIENTS) {
        return Some(format!("at most {MOST_RECIPIENTS} recipients at once, not {}", sent.to.len()));
    }
    let listed = |to: &str| readers.iter().any(|reader| reader.eq_ignore_ascii_case(to));
    if let Some(stranger) = rested.sent.iter().flat_map(|sent| &sent.to).find(|to| !listed(to)) {
        return Some(format!("to those in its list, and {stranger} is not in it"));
    }
    let begun = readers.chunks(MOST_RECIPIENTS).filter(|group| group.iter().any(|reader| rested.reached(reader)));
    let missing = begun.flatten().find(|reader| !rested.reached(reader))?;
    Some(format!("to all in its list, {missing} among them"))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn only_listed_readers_get_a_mail_and_all_of_them_do() {
        let story = || Story::new(1).received(1.0);
        let readers = story().readers();
        let to = |extra: &str| readers.iter().cloned().chain([extra.to_owned()]).collect::<Vec<_>>();
        let crowd = Story::new(1).for_readers(51).readers();
        for (what, story, expected) in [
            ("to both", story().sent(1.1).deleted(1.2), (0, 1)),
            (
                "to both, one by one and in capitals",
                story().sent_to(1.1, &[readers[0].to_uppercase()], &[]).sent_to(1.1, &readers[1..], &[]),
                (0, 1),
            ),
            ("to nobody, which is another rule's", story().deleted(1.2), (0, 0)),
            ("to a stranger too", story().sent_to(1.1, &to("eve@x.com"), &[]).deleted(1.2), (1, 1)),
            ("to one of two", story().sent_to(1.1, &readers[..1], &[]).deleted(1.2), (1, 1)),
            ("to the fallback topic in spite of its list", story().noticed(1.1).deleted(1.2), (1, 1)),
            ("to somebody without a list", story().expected(Expected::Fallback).sent_to(1.1, &to("eve@x.com"), &[]), (1, 1)),
            ("to the fallback topic without a list", story().expected(Expected::Fallback).noticed(1.1), (0, 1)),
            ("to those that could be read of a broken list", story().expected(Expected::DeadLetter).sent_to(1.1, &readers, &[]), (1, 1)),
            ("to 51 at once", story().for_readers(51).sent_to(1.1, &crowd, &[]), (1, 1)),
            ("to 51 in two groups", story().for_readers(51).sent(1.1), (0, 1)),
            ("to the first group only, which is another rule's", story().for_readers(51).sent_to(1.1, &crowd[..50], &[]), (0, 1)),
        ] {
            assert_eq!(broken(right_readers(), &story.events()), expected, "{what}");
        }
    }
}
