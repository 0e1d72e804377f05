//! What became of each mail: what was expected of it, who got it, its way through the queue, and the faults that struck on it.
//! A mail is judged once, when it has left the queue and all that is known of that is here; then it is forgotten.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::systems::mail::{ATTACHMENTS, FALLBACK, MARKER, QUEUE, SETUP_NOTIFICATION};
use run_folder::Seen;

use crate::Event;
use crate::exchange::{Expected, Mail};
use crate::mails::{EarlyNotices, words};
use crate::strike::{Handler, Struck};

use crate::invariants::{Book, Found, NOTHING, Quiet, Rule};

/// The function that processes mail.
pub(crate) const FUNCTION: &str = "email-processor";
/// What it calls.
pub(crate) const SERVICES: [&str; 4] = ["s3", "ses", "sns", "dynamodb"];
/// What the harness learns from three sides may be out of order by a second; after this, all is known.
pub(crate) const GRACE: Duration = Duration::from_secs(3);
/// Of two sides that tell of one moment, one may be ahead by this.
const SLACK: Duration = Duration::from_millis(50);
/// The function's timeout and a little more: for so long an attempt that died may hold the mail against the next. The function's time is not compressed.
pub(crate) const LONGEST_ATTEMPT: Duration = Duration::from_secs(16);
/// What belongs to no mail of the run is forgotten after this.
const MEMORY: Duration = Duration::from_secs(180);
/// Of more strikes than this the oldest are forgotten.
const MOST_STRIKES: usize = 10_000;
/// No text is looked through for more addresses than this.
const MOST_ADDRESSES: usize = 256;

/// A mail as it was handed to SES.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    /// All recipients.
    pub(crate) to: Vec<String>,
    /// The links in it, each once, without their queries.
    pub(crate) links: BTreeSet<String>,
    /// What looks like an address in it.
    pub(crate) addresses: BTreeSet<String>,
    /// Whether the marker is in it.
    pub(crate) marker: bool,
}

/// How a message left the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Deleted,
    DeadLetter,
    Expired,
}

/// The way of a mail's message through the queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trip {
    pub(crate) message: Option<String>,
    queued: Duration,
    /// How often it was handed out.
    pub(crate) receives: u32,
    last_receive: Duration,
    pub(crate) left: Option<(Duration, Left)>,
}

/// What is known of a mail so far.
#[derive(Debug, Default)]
struct Entry {
    mail: Option<Mail>,
    sent: Vec<Sent>,
    notices: u32,
    stored: BTreeSet<String>,
    trip: Trip,
}

/// A mail that is to be judged.
#[derive(Debug)]
pub(crate) struct Rested {
    pub(crate) mail: Mail,
    /// What was handed to SES, in the order of time.
    pub(crate) sent: Vec<Sent>,
    /// Notices to the fallback topic.
    pub(crate) notices: u32,
    /// Keys of its attachments in storage.
    pub(crate) stored: BTreeSet<String>,
    pub(crate) trip: Trip,
    /// The faults that struck on its way.
    pub(crate) strikes: Vec<Struck>,
    /// When it is judged.
    pub(crate) at: Duration,
}

/// All mails of which it is not yet known what became of them.
#[derive(Default)]
pub(crate) struct MailBook {
    entries: HashMap<String, Entry>,
    /// Object keys by the token in the subject.
    tokens: HashMap<String, String>,
    /// Object keys by the queue's message id.
    messages: HashMap<String, String>,
    /// What was sent with the token of a mail that is not known yet.
    early: Vec<(String, Sent)>,
    /// Notices of mails that are not known yet.
    early_notices: EarlyNotices,
    strikes: VecDeque<Struck>,
    clock: Duration,
    swept: Duration,
}

impl Book for MailBook {
    type Ripe = Vec<Rested>;

    /// The mails that can now be judged.
    fn see(&mut self, event: &Event) -> Vec<Rested> {
        self.clock = self.clock.max(event.at());
        match event {
            Event::Mail(mail) => self.mail(mail),
            Event::Struck(struck) if struck.concerns(FUNCTION, &SERVICES) => self.strikes.push_back((**struck).clone()),
            Event::Saw { at, seen } => self.saw(*at, seen),
            _ => {}
        }
        if self.clock < self.swept + Duration::from_millis(250) {
            return Vec::new();
        }
        self.swept = self.clock;
        self.forget(self.clock.saturating_sub(MEMORY));
        let clock = self.clock;
        let over = |entry: &Entry| entry.mail.is_some() && entry.trip.left.is_some_and(|(at, _)| at + GRACE <= clock);
        self.take(over, clock)
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Rested> {
        self.take(|entry| entry.mail.is_some(), quiet.at.max(self.clock))
    }
}

impl MailBook {
    /// The mail that a queue's message tells of, as far as it is known.
    pub(crate) fn mail_of(&self, message: &str) -> Option<&Mail> {
        self.entries.get(self.messages.get(message)?)?.mail.as_ref()
    }

    fn mail(&mut self, mail: &Mail) {
        let Some(id) = mail.id.clone().filter(|_| mail.expected != Expected::Refused) else { return };
        let entry = self.entries.entry(id.clone()).or_default();
        entry.mail = Some(mail.clone());
        let (ours, others) = std::mem::take(&mut self.early).into_iter().partition::<Vec<_>, _>(|(token, _)| *token == mail.token);
        entry.sent.extend(ours.into_iter().map(|(_, sent)| sent));
        self.early = others;
        entry.notices += self.early_notices.take(mail).len() as u32;
        self.tokens.insert(mail.token.clone(), id);
    }

    fn saw(&mut self, at: Duration, seen: &Seen) {
        match seen {
            Seen::Queued { queue, message, about: Some(id) } if queue == QUEUE && id != SETUP_NOTIFICATION => {
                let trip = &mut self.entries.entry(id.clone()).or_default().trip;
                // S3 may tell twice; the first message stands for the mail.
                if trip.message.is_none() {
                    *trip = Trip { message: Some(message.clone()), queued: at, ..Trip::default() };
                    self.messages.insert(message.clone(), id.clone());
                }
            }
            Seen::Received { queue, message, count } if queue == QUEUE => {
                if let Some(trip) = self.trip(message) {
                    trip.receives = trip.receives.max(*count);
                    trip.last_receive = trip.last_receive.max(at);
                }
            }
            Seen::Deleted { queue, message } if queue == QUEUE => self.left(message, at, Left::Deleted),
            Seen::Expired { queue, message, .. } if queue == QUEUE => self.left(message, at, Left::Expired),
            Seen::Redriven { queue, message, .. } if queue == QUEUE => self.left(message, at, Left::DeadLetter),
            Seen::ObjectStored { bucket, key, .. } if bucket == ATTACHMENTS => {
                if let Some(entry) = key.split_once('/').and_then(|(id, _)| self.entries.get_mut(id)) {
                    entry.stored.insert(key.clone());
                }
            }
            Seen::Published { topic, subject, message, .. } if topic == FALLBACK => {
                let known =
                    |word: &str| if self.entries.contains_key(word) { Some(word.to_owned()) } else { self.tokens.get(word).cloned() };
                match words(subject.as_deref(), message).find_map(known).and_then(|id| self.entries.get_mut(&id)) {
                    Some(entry) => entry.notices += 1,
                    None => self.early_notices.keep(at, subject.as_deref(), message),
                }
            }
            Seen::MailSent { to, subject, text, .. } => {
                let Some(token) = token(subject) else { return };
                let sent = Sent::read(at, to, subject, text);
                match self.tokens.get(token).and_then(|id| self.entries.get_mut(id)) {
                    Some(entry) => entry.sent.push(sent),
                    None => self.early.push((token.to_owned(), sent)),
                }
            }
            _ => {}
        }
    }

    fn trip(&mut self, message: &str) -> Option<&mut Trip> {
        self.entries.get_mut(self.messages.get(message)?).map(|entry| &mut entry.trip)
    }

    fn left(&mut self, message: &str, at: Duration, how: Left) {
        if let Some(trip) = self.trip(message) {
            trip.left.get_or_insert((at, how));
        }
    }

    fn take(&mut self, over: impl Fn(&Entry) -> bool, at: Duration) -> Vec<Rested> {
        let taken: Vec<_> = self.entries.extract_if(|_, entry| over(entry)).collect();
        taken.into_iter().filter_map(|(_, entry)| self.rested(entry, at)).collect()
    }

    fn rested(&mut self, entry: Entry, at: Duration) -> Option<Rested> {
        let mail = entry.mail?;
        let trip = entry.trip;
        self.tokens.remove(&mail.token);
        let strikes = self.strikes.iter().filter(|struck| trip.is_struck_by(struck)).cloned().collect();
        if let Some(message) = &trip.message {
            self.messages.remove(message);
        }
        let mut sent = entry.sent;
        sent.sort_by_key(|sent| sent.at);
        Some(Rested { mail, sent, notices: entry.notices, stored: entry.stored, trip, strikes, at })
    }

    fn forget(&mut self, old: Duration) {
        self.early.retain(|(_, sent)| sent.at > old);
        self.early_notices.forget(old);
        self.strikes.drain(..self.strikes.len().saturating_sub(MOST_STRIKES));
        // A mail that waits for long keeps what struck on it.
        let messages = &self.messages;
        self.strikes.retain(|struck| struck.at > old || struck.message.as_ref().is_some_and(|message| messages.contains_key(message)));
        let foreign = |entry: &Entry| entry.mail.is_none() && entry.trip.left.is_some_and(|(at, _)| at <= old);
        for (_, entry) in self.entries.extract_if(|_, entry| foreign(entry)) {
            if let Some(message) = entry.trip.message {
                self.messages.remove(&message);
            }
        }
    }
}

impl Trip {
    /// Whether it came into the queue at all.
    pub(crate) const fn began(&self) -> bool {
        self.message.is_some()
    }

    pub(crate) fn ended_as(&self, how: Left) -> bool {
        self.left.is_some_and(|(_, left)| left == how)
    }

    /// A strike whose message nobody knows may have been on any that was under way.
    fn is_struck_by(&self, struck: &Struck) -> bool {
        match (&struck.message, &self.message) {
            (Some(one), Some(other)) => one == other,
            (None, Some(_)) => {
                let until = self.left.map_or(Duration::MAX, |(at, _)| at + Duration::from_secs(1));
                (self.queued..=until).contains(&struck.at)
            }
            _ => false,
        }
    }
}

impl Rested {
    /// Whether it went on to anybody, or to the fallback topic.
    pub(crate) fn came_out(&self) -> bool {
        !self.sent.is_empty() || self.notices > 0
    }

    /// Whether somebody got it.
    pub(crate) fn reached(&self, reader: &str) -> bool {
        self.sent.iter().any(|sent| sent.is_for(reader))
    }

    /// How many strikes may each have ended an attempt in the middle of its work.
    pub(crate) fn unsure_strikes(&self) -> usize {
        self.strikes.iter().filter(|struck| matches!(struck.handler(), Handler::Unsure | Handler::Misled)).count()
    }

    /// Strikes on the last delivery.
    pub(crate) fn last_strikes(&self) -> impl Iterator<Item = &Struck> {
        self.strikes.iter().filter(|struck| struck.at + SLACK >= self.trip.last_receive)
    }

    /// Whether faults explain that the last delivery was not acknowledged: it was struck itself, or an attempt that died shortly before still held the mail.
    pub(crate) fn failure_is_explained(&self) -> bool {
        let held = |struck: &Struck| struck.handler() == Handler::Unsure && struck.at + LONGEST_ATTEMPT >= self.trip.last_receive;
        self.last_strikes().next().is_some() || self.strikes.iter().any(held)
    }
}

impl Sent {
    /// Whether somebody of this address got it.
    pub(crate) fn is_for(&self, address: &str) -> bool {
        self.to.iter().any(|to| to.eq_ignore_ascii_case(address))
    }

    fn read(at: Duration, to: &[String], subject: &str, text: &str) -> Self {
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | '?');
        let links = text.match_indices("http").filter_map(|(at, _)| text.get(at..)?.split(ends).next());
        let links = links.filter(|link| link.contains("://")).map(str::to_owned).collect();
        let apart =
            |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '<' | '>' | '(' | ')' | '[' | ']' | '"' | '\'' | '/' | '=' | '&');
        let words = [subject, text].into_iter().flat_map(|part| part.split(apart)).filter(|word| word.contains('@'));
        let addresses = words.take(MOST_ADDRESSES).map(|word| word.trim_end_matches('.').to_ascii_lowercase()).collect();
        let marker = [subject, text].iter().any(|part| part.contains(MARKER.trim_matches(':')));
        Self { at, to: to.to_vec(), links, addresses, marker }
    }
}

/// What stands in the first square brackets of a subject.
fn token(subject: &str) -> Option<&str> {
    Some(subject.split_once('[')?.1.split_once(']')?.0)
}

/// A rule that judges each mail once, when it has come to rest.
pub(crate) fn each(id: &'static str, text: &'static str, rule: fn(&Rested) -> Found) -> Rule<MailBook> {
    Rule::<MailBook>::new(id, text, move |_, rested, _| judge(rested, rule))
}

/// Judges every mail of a list.
pub(crate) fn judge(rested: &[Rested], rule: fn(&Rested) -> Found) -> Found {
    rested.iter().map(rule).fold(NOTHING, |(mut all, count), (breaches, checks)| {
        all.extend(breaches);
        (all, count + checks)
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self as made, Story};
    use super::*;
    use crate::invariants::fixtures::{s, tick};

    fn see_all(book: &mut MailBook, events: &[Event]) -> Vec<Rested> {
        events.iter().flat_map(|event| book.see(event)).collect()
    }

    #[test]
    fn a_mail_is_judged_once_when_all_is_known_whatever_came_first() {
        let story = || Story::new(1).received(1.0).sent(1.1).deleted(1.2);
        let in_order = story().events();
        let mut late = story().events();
        late.rotate_left(1);
        for events in [in_order, late] {
            let mut book = MailBook::default();
            assert_eq!(see_all(&mut book, &events).len(), 0);
            let rested = book.see(&tick(4.3));
            assert_eq!(rested.len(), 1);
            assert_eq!((rested[0].sent.len(), rested[0].trip.receives, rested[0].trip.ended_as(Left::Deleted)), (1, 1, true));
            assert_eq!(book.settled(&Quiet { at: s(60.0), ..Quiet::default() }).len(), 0);
            assert_eq!(
                (book.entries.len(), book.tokens.len(), book.messages.len(), book.early.len() + book.early_notices.len()),
                (0, 0, 0, 0)
            );
        }
    }

    #[test]
    fn what_belongs_to_no_mail_of_the_run_is_forgotten() {
        let mut book = MailBook::default();
        for n in 0..2_000_u32 {
            let mut events = Story::new(n).at(f64::from(n)).received(1.0).sent(1.1).deleted(1.2).struck(1.15, "lose-answer").events();
            events.remove(0);
            see_all(&mut book, &events);
        }
        let held = [book.entries.len(), book.messages.len(), book.early.len(), book.strikes.len()];
        assert!(held.iter().all(|held| *held < 200), "{held:?}");
    }

    #[test]
    fn a_strike_of_nobody_knows_which_message_is_on_those_under_way() {
        let trip = Trip { message: Some("q".into()), queued: s(1.0), left: Some((s(5.0), Left::Deleted)), ..Trip::default() };
        for (message, at, expected) in
            [(Some("q"), 50.0, true), (Some("r"), 2.0, false), (None, 2.0, true), (None, 5.5, true), (None, 0.5, false), (None, 7.0, false)]
        {
            let struck = made::strike(message, at, "kill-middle");
            assert_eq!(trip.is_struck_by(&struck), expected, "{message:?} {at}");
        }
    }
}
