//! C-5: each attachment has an object of its own, and a link that works until its promised end.

use std::collections::HashMap;
use std::time::Duration;

use crate::systems::mail::LINK_LIFE_S;

use crate::Event;
use crate::exchange::{Expected, LinkLife, LinkTried, Mail};

use super::book::{MailBook, judge};
use super::rested::{LONGEST_ATTEMPT, Rested};
use super::words;
use crate::invariants::{Breach, Found, Moment, NOTHING, Rule, checked, wording};

pub(crate) fn own_object_working_link() -> Rule<MailBook> {
    let mut links = Links::default();
    let text = "each attachment has an object of its own and a link that works until its promised end";
    Rule::<MailBook>::new("C-5", text, move |book, rested, moment| {
        let mut found = judge(rested, rule);
        if let Moment::Event(Event::LinkTried(tried)) = moment
            && let Some(mail) = book.mail_under(&tried.id).filter(|mail| is_linked(mail))
        {
            found.0.extend(links.tried(mail, tried));
            found.1 += 1;
        }
        found
    })
}

/// Whether the readers are promised links to its attachments.
fn is_linked(mail: &Mail) -> bool {
    matches!(mail.expected, Expected::Delivered { .. }) && !mail.attachments.is_empty()
}

/// For each mail: what each object contained, by its key.
#[derive(Default)]
struct Links(HashMap<String, HashMap<String, String>>);

/// Checks that a mail that was sent on has an object and a link for each attachment. A mail that
/// was sent twice has the same links both times.
fn rule(rested: &Rested) -> Found {
    if rested.sent.is_empty() || !is_linked(&rested.mail) {
        return NOTHING;
    }
    let count = rested.mail.attachments.len();
    let of_this = format!("/{}/", rested.mail.id.as_deref().unwrap_or_default());
    let fewest = rested.sent.iter().map(|sent| sent.links.iter().filter(|link| link.contains(&of_this)).count()).min().unwrap_or_default();
    let objects = rested.stored.len();
    let wrong = fewest < count || objects < count;
    let wanted = wording::several(count, "attachment");
    let expected = format!("an object and a link of its own for each of {wanted}, not {objects} and {fewest}");
    checked(wrong.then(|| words::breach(rested, &expected)))
}

/// A link that names its end may have been signed as much as one attempt's time before it was sent.
fn is_long_enough(life: LinkLife) -> bool {
    let promised = Duration::from_secs(LINK_LIFE_S);
    match life {
        LinkLife::FromSigning(span) => span >= promised,
        LinkLife::FromSending(span) => span + LONGEST_ATTEMPT >= promised,
    }
}

impl Links {
    fn tried(&mut self, mail: &Mail, tried: &LinkTried) -> Option<Breach> {
        let life = tried.life.map_or_else(|| "an unknown time".to_owned(), |life| format!("{:.0} s", life.duration().as_secs_f64()));
        let status = tried.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let expected = self.wrong(mail, tried)?.to_owned();
        let answered = format!("the link to {}, good for {life}: {status}", tried.key);
        Some(Breach { at: tried.at, answered, expected, ..words::about(mail) })
    }

    fn wrong(&mut self, mail: &Mail, tried: &LinkTried) -> Option<&'static str> {
        if tried.status != Some(200) {
            return Some("200 until its promised end");
        }
        if !tried.life.is_some_and(is_long_enough) {
            return Some("good for 36 hours");
        }
        let listed = |sha256: &str| mail.attachments.iter().filter(|attachment| attachment.sha256 == sha256).count();
        let Some(sha256) = tried.sha256.as_ref().filter(|sha256| listed(sha256) > 0) else {
            return Some("the bytes of one of its attachments");
        };
        let found = self.0.entry(tried.id.clone()).or_default();
        found.insert(tried.key.clone(), sha256.clone());
        let alike = found.values().filter(|found| *found == sha256).count();
        (alike > listed(sha256)).then_some("another attachment's bytes under each link")
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn every_attachment_has_its_own_object_and_link() {
        let file = |name: &str, k| Story::file(1, name, k);
        let two = || Story::new(1).with(vec![file("reading.bin", 0), file("reading.bin", 1)]).received(1.0);
        let (first, second) = (file("", 0).sha256, file("", 1).sha256);
        let readers = two().readers();
        let one_key = ["id-1/reading.bin".to_owned()];
        let with_links = |link: &dyn Fn(Story) -> Story| link(two().sent(1.1).deleted(1.2));
        for (what, story, expected) in [
            ("all is well", two().sent(1.1).deleted(1.2).links(30.0), (0, 3)),
            ("nothing is attached", Story::new(1).with(vec![]).received(1.0).sent(1.1).deleted(1.2), (0, 0)),
            ("it was not sent on", two().stored(1.1, &one_key[0]).redriven(6.0), (0, 0)),
            (
                "two of one name overwrite each other",
                two().stored(1.1, &one_key[0]).stored(1.1, &one_key[0]).sent_to(1.1, &readers, &one_key),
                (1, 1),
            ),
            ("a link is missing", two().stored(1.1, "id-1/0-a").stored(1.1, "id-1/1-a").sent_to(1.1, &readers, &one_key), (1, 1)),
            (
                "an object is missing",
                two().stored(1.1, &one_key[0]).sent_to(1.1, &readers, &["id-1/0-a".into(), "id-1/1-a".into()]),
                (1, 1),
            ),
            ("stored again by a second attempt", two().sent(1.1).received(2.0).stored(2.1, "id-1/0-reading.bin").deleted(2.2), (0, 1)),
            ("a link does not work", with_links(&|story| story.link(30.0, "id-1/0-a", 404, &first)), (1, 2)),
            ("another's bytes", with_links(&|story| story.link(30.0, "id-1/0-a", 200, "0000")), (1, 2)),
            (
                "the same bytes twice",
                with_links(&|story| story.link(30.0, "id-1/0-a", 200, &second).link(30.0, "id-1/1-a", 200, &second)),
                (1, 3),
            ),
            (
                "the same link twice",
                with_links(&|story| story.link(30.0, "id-1/0-a", 200, &first).link(31.0, "id-1/0-a", 200, &first)),
                (0, 3),
            ),
        ] {
            assert_eq!(broken(own_object_working_link(), &story.events()), expected, "{what}");
        }
    }

    #[test]
    fn a_link_that_ends_too_early_or_gives_no_answer_breaks_the_rule() {
        let signed = |seconds| Some(LinkLife::FromSigning(Duration::from_secs(seconds)));
        let sent = |seconds| Some(LinkLife::FromSending(Duration::from_secs(seconds)));
        for (life, status, expected) in [
            (signed(129_600), Some(200), 0),
            (signed(129_599), Some(200), 1),
            (sent(129_590), Some(200), 0),
            (sent(129_500), Some(200), 1),
            (None, Some(200), 1),
            (signed(129_600), None, 1),
        ] {
            let mut events = Story::new(1).received(1.0).sent(1.1).deleted(1.2).links(30.0).events();
            let Some(Event::LinkTried(tried)) = events.last_mut() else { panic!("{events:?}") };
            (tried.life, tried.status) = (life, status);
            assert_eq!(broken(own_object_working_link(), &events), (expected, 2), "{life:?} {status:?}");
        }
    }
}
