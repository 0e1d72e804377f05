//! C-6: a malformed mail never blocks another: it is handed out a limited number of times, and
//! while it comes back other mails are handed out too.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::systems::mail::QUEUE;
use run_folder::Seen;

use crate::Event;
use crate::exchange::Expected;

use super::book::{FUNCTION, MailBook, SERVICES, judge};
use super::rested::Rested;
use super::words;
use crate::invariants::{Breach, Found, Moment, NOTHING, Rule, checked};

/// The stack's queue gives a message up after five deliveries; another setting may allow more, but
/// not without limit.
const MOST_RECEIVES: u32 = 10;

/// While one malformed mail is handed out this many times, every other waiting mail is handed out
/// at least once.
const TURNS: usize = 3;

pub(crate) fn no_blocking() -> Rule<MailBook> {
    let mut queue = Waiting::default();
    Rule::<MailBook>::new("C-6", "a malformed mail never blocks another", move |book, rested, moment| {
        let (mut breaches, mut checks) = judge(rested, rule);
        match moment {
            Moment::Event(Event::Saw { at, seen }) => breaches.extend(queue.saw(book, *at, seen)),
            Moment::Event(Event::Struck(struck)) if struck.concerns(FUNCTION, &SERVICES) => queue.struck = queue.struck.max(struck.at),
            _ => {}
        }
        checks += breaches.len() as u64;
        (breaches, checks)
    })
}

#[derive(Default)]
struct Waiting {
    /// Messages that were never handed out, and since when they wait.
    waiting: BTreeMap<String, Duration>,
    /// When each malformed mail was handed out, since a well-formed mail last was.
    turns: HashMap<String, Vec<Duration>>,
    /// When a fault last struck: it may have caused delays up to then.
    struck: Duration,
}

impl Waiting {
    fn received(&mut self, book: &MailBook, at: Duration, message: &str, count: u32) -> Option<Breach> {
        self.waiting.remove(message);
        if book.mail_of(message).is_none_or(|mail| mail.expected != Expected::DeadLetter) {
            self.turns.clear();
            return None;
        }
        let turns = self.turns.entry(message.to_owned()).or_default();
        turns.push(at);
        let since = turns.len().checked_sub(TURNS).and_then(|first| turns.get(first)).copied();
        if count == MOST_RECEIVES + 1 {
            let answered = format!("handed out for the {count}th time");
            return told(book, message, at, answered, "given up after a few deliveries");
        }
        let since = since.filter(|since| self.struck < *since)?;
        let waits = self.waiting.iter().filter(|(_, queued)| **queued < since);
        let blocked = waits.map(|(message, _)| message.clone()).find(|message| book.mail_of(message).is_some())?;
        let queued = self.waiting.remove(&blocked)?;
        let waited = at.saturating_sub(queued).as_secs_f64();
        let answered = format!("not handed out for {waited:.1} s, while one that cannot be processed was {TURNS} times and no other was");
        told(book, &blocked, at, answered, "handed out whether or not another comes back again and again")
    }

    fn saw(&mut self, book: &MailBook, at: Duration, seen: &Seen) -> Option<Breach> {
        match seen {
            Seen::Queued { queue, message, about: Some(_) } if queue == QUEUE => {
                self.waiting.insert(message.clone(), at);
                None
            }
            Seen::Received { queue, message, count } if queue == QUEUE => self.received(book, at, message, *count),
            Seen::Deleted { queue, message } | Seen::Expired { queue, message, .. } | Seen::Redriven { queue, message, .. }
                if queue == QUEUE =>
            {
                self.waiting.remove(message);
                self.turns.remove(message);
                None
            }
            _ => None,
        }
    }
}

fn told(book: &MailBook, message: &str, at: Duration, answered: String, expected: &str) -> Option<Breach> {
    let about = words::about(book.mail_of(message)?);
    Some(Breach { at, answered, expected: expected.to_owned(), ..about })
}

/// A check for each malformed mail that has left the queue.
fn rule(rested: &Rested) -> Found {
    if rested.mail.expected == Expected::DeadLetter && rested.trip.left.is_some() { checked(None) } else { NOTHING }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{Story, ses_strike};
    use super::*;
    use crate::invariants::fixtures::broken;

    fn malformed() -> Story {
        Story::new(1).expected(Expected::DeadLetter)
    }

    #[test]
    fn a_malformed_mail_is_eventually_given_up() {
        for (what, story, expected) in [
            ("after five deliveries", malformed().deliveries(5, None).redriven(6.0), (0, 1)),
            ("after ten", malformed().deliveries(10, None).redriven(11.0), (0, 1)),
            ("never", malformed().deliveries(40, None), (1, 1)),
            ("another mail, by faults", Story::new(1).deliveries(40, Some("refuse")), (0, 0)),
        ] {
            assert_eq!(broken(no_blocking(), &story.events()), expected, "{what}");
        }
    }

    #[test]
    fn another_mail_does_not_wait_while_a_malformed_one_comes_back() {
        let others = |story: Story| {
            let mut events = story.events();
            events.extend(malformed().deliveries(5, None).redriven(6.0).events());
            events.sort_by_key(Event::at);
            events
        };
        let second = || Story::new(2);
        for (what, mut events, strike, expected) in [
            ("it is handed out in between", others(second().received(2.5).sent(2.6).deleted(2.7)), None, (0, 1)),
            ("it is not", others(second().received(7.0).sent(7.1).deleted(7.2)), None, (1, 2)),
            ("a third one is, so the queue goes on", others(second().received(2.5).received(4.5)), None, (0, 1)),
            ("a fault holds everything up", others(second().received(7.0).sent(7.1)), Some(2.0), (0, 1)),
            ("it came late", others(second().at(4.0).received(4.0).sent(4.1)), None, (0, 1)),
        ] {
            if let Some(at) = strike {
                events.extend([ses_strike(at, None), ses_strike(at + 1.5, None)]);
                events.sort_by_key(Event::at);
            }
            assert_eq!(broken(no_blocking(), &events), expected, "{what}");
        }
    }
}
