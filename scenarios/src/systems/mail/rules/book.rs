//! What happened to each mail, as reported by its sender and the services. Once its message has
//! left the queue and everything about that is known, the rules judge the mail and its text is
//! forgotten. What the report's table needs is kept.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::systems::mail::{ATTACHMENTS, FALLBACK, QUEUE, SETUP_NOTIFICATION};
use reports::{ArmTag, Dispositions as Table, Outcome};
use run_folder::Seen;

use crate::Event;
use crate::exchange::{Disposition, Expected, Mail};
use crate::mails::{EarlyNotices, words};
use crate::strike::Struck;

use super::dispositions::{self, Account};
use super::rested::{Left, Rested, Sent, Trip};
use crate::invariants::{ArmOf, Book, Ended, Found, NOTHING, Quiet, Rule, Sweeps};

/// The function that processes mail.
pub(crate) const FUNCTION: &str = "email-processor";
/// The services that it calls.
pub(crate) const SERVICES: [&str; 4] = ["s3", "ses", "sns", "dynamodb"];
/// The endpoint under which the time from a mail's arrival to its end is recorded.
const ENDPOINT: &str = "mail arrival -> disposition";
/// The harness learns from three sides, which may be out of order by a second; after this time
/// everything is known.
const GRACE: Duration = Duration::from_secs(3);
/// What belongs to no mail of the run is forgotten after this.
const MEMORY: Duration = Duration::from_secs(180);
/// The oldest strikes are forgotten beyond this number.
const MOST_STRIKES: usize = 10_000;

/// What is known of a mail so far.
#[derive(Debug, Default)]
struct Entry {
    mail: Option<Mail>,
    /// When the server accepted it, as the server reports.
    taken: Option<Duration>,
    sent: Vec<Sent>,
    /// When notices to the fallback topic were published.
    notices: Vec<Duration>,
    /// Keys of its attachments in storage.
    stored: BTreeSet<String>,
    trip: Trip,
    /// Whether the rules have judged it.
    is_judged: bool,
    /// Whether its first end was reported.
    is_told: bool,
}

/// All mails that a server accepted.
#[derive(Default)]
pub(crate) struct MailBook {
    /// By object key, which is the message id.
    entries: HashMap<String, Entry>,
    /// Object keys by the token in the subject.
    tokens: HashMap<String, String>,
    /// Object keys by the queue's message id, until the mail is judged.
    messages: HashMap<String, String>,
    /// Object keys of mails that have left the queue and are not judged yet.
    leaving: Vec<String>,
    /// Sent mail with the token of a mail that is not known yet.
    early: Vec<(String, Sent)>,
    /// Notices of mails that are not known yet.
    early_notices: EarlyNotices,
    strikes: VecDeque<Struck>,
    /// How many mails a server accepted, as the server reports.
    taken: u64,
    ended: Option<Ended>,
    sweeps: Sweeps,
}

impl Book for MailBook {
    type Ripe = Vec<Rested>;

    /// The mails that can now be judged.
    fn see(&mut self, event: &Event) -> Vec<Rested> {
        self.sweeps.see(event);
        let about = match event {
            Event::Mail(mail) => self.mail(mail),
            Event::Saw { at, seen } => self.saw(*at, seen),
            Event::Struck(struck) if struck.concerns(FUNCTION, &SERVICES) => {
                self.strikes.push_back((**struck).clone());
                None
            }
            _ => None,
        };
        self.ended = about.and_then(|id| self.entries.get_mut(&id)?.first_end());
        let Some(now) = self.sweeps.due(Duration::from_millis(250)) else { return Vec::new() };
        self.forget(now.saturating_sub(MEMORY));
        let entries = &self.entries;
        let over = |entry: &Entry| entry.mail.is_some() && entry.trip.left.is_some_and(|(at, _)| at + GRACE <= now);
        let ripe = self.leaving.extract_if(.., |id| entries.get(id).is_some_and(over)).collect();
        self.judged(ripe, now)
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Rested> {
        let rest = self.entries.iter().filter(|(_, entry)| !entry.is_judged).map(|(id, _)| id.clone()).collect();
        self.judged(rest, self.sweeps.end(quiet))
    }

    fn ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    fn under_way(&self) -> usize {
        self.accounts().filter(Account::is_under_way).count()
    }

    fn unfinished(&self) -> Vec<Ended> {
        let known = self.entries.values().filter_map(|entry| Some((entry, entry.account()?)));
        known.filter(|(_, account)| account.first.is_none()).map(|(entry, account)| entry.ended(&account)).collect()
    }

    fn tables(&self, arm: ArmOf<'_>) -> Vec<Table> {
        let heard = self.entries.values().filter(|entry| entry.mail.is_some() && entry.taken.is_some()).count() as u64;
        let accounts: Vec<_> = self.accounts().map(|account| (account.message.map_or(ArmTag::Untouched, arm), account)).collect();
        vec![dispositions::table(&accounts, self.taken, self.taken - heard)]
    }
}

impl MailBook {
    /// The mail that a queue message is about, if it is known; `None` once it is judged.
    pub(crate) fn mail_of(&self, message: &str) -> Option<&Mail> {
        self.entries.get(self.messages.get(message)?)?.mail.as_ref().filter(|mail| mail.expected != Expected::Refused)
    }

    /// The mail that is stored under an object key.
    pub(crate) fn mail_under(&self, id: &str) -> Option<&Mail> {
        self.entries.get(id)?.mail.as_ref()
    }

    /// Every mail of the run that a server accepted.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.entries.values().filter_map(Entry::account)
    }

    /// Records a mail; returns its object key.
    fn mail(&mut self, mail: &Mail) -> Option<String> {
        let id = mail.id.clone()?;
        let entry = self.entries.entry(id.clone()).or_default();
        entry.mail = Some(mail.clone());
        entry.sent.extend(self.early.extract_if(.., |(token, _)| *token == mail.token).map(|(_, sent)| sent));
        entry.notices.extend(self.early_notices.take(mail));
        self.tokens.insert(mail.token.clone(), id.clone());
        Some(id)
    }

    /// Records a sighting; returns the object key of its mail if it may have ended the mail.
    fn saw(&mut self, at: Duration, seen: &Seen) -> Option<String> {
        match seen {
            Seen::MailTaken { id, .. } => {
                let entry = self.entries.entry(id.clone()).or_default();
                self.taken += u64::from(entry.taken.is_none());
                entry.taken = Some(at);
                Some(id.clone())
            }
            Seen::Queued { queue, message, about: Some(id) } if queue == QUEUE && id != SETUP_NOTIFICATION => {
                let trip = &mut self.entries.entry(id.clone()).or_default().trip;
                // S3 may notify twice; only the first message counts for the mail.
                if trip.message.is_none() {
                    *trip = Trip { message: Some(message.clone()), queued: at, ..Trip::default() };
                    self.messages.insert(message.clone(), id.clone());
                }
                Some(id.clone())
            }
            Seen::Received { queue, message, count } if queue == QUEUE => {
                let trip = &mut self.entries.get_mut(self.messages.get(message)?)?.trip;
                trip.receives = trip.receives.max(*count);
                trip.last_receive = trip.last_receive.max(at);
                None
            }
            Seen::Deleted { queue, message } if queue == QUEUE => self.left(message, at, Left::Deleted),
            Seen::Expired { queue, message, .. } if queue == QUEUE => self.left(message, at, Left::Expired),
            Seen::Redriven { queue, message, .. } if queue == QUEUE => self.left(message, at, Left::DeadLetter),
            Seen::ObjectStored { bucket, key, .. } if bucket == ATTACHMENTS => {
                let entry = self.entries.get_mut(key.split_once('/')?.0).filter(|entry| !entry.is_judged)?;
                entry.stored.insert(key.clone());
                None
            }
            Seen::Published { topic, subject, message, .. } if topic == FALLBACK => self.noticed(at, subject.as_deref(), message),
            Seen::MailSent { to, subject, text, .. } => self.sent(token(subject)?, Sent::read(at, to, subject, text)),
            _ => None,
        }
    }

    fn noticed(&mut self, at: Duration, subject: Option<&str>, message: &str) -> Option<String> {
        let known = |word: &str| self.entries.get_key_value(word).map(|(id, _)| id).or_else(|| self.tokens.get(word)).cloned();
        let id = words(subject, message).find_map(known);
        match id.as_ref().and_then(|id| self.entries.get_mut(id)) {
            Some(entry) => entry.notices.push(at),
            None => self.early_notices.keep(at, subject, message),
        }
        id
    }

    fn sent(&mut self, token: &str, sent: Sent) -> Option<String> {
        let id = self.tokens.get(token).cloned();
        match id.as_ref().and_then(|id| self.entries.get_mut(id)) {
            Some(entry) => entry.sent.push(if entry.is_judged { sent.address() } else { sent }),
            None => self.early.push((token.to_owned(), sent)),
        }
        id
    }

    fn left(&mut self, message: &str, at: Duration, how: Left) -> Option<String> {
        let id = self.messages.get(message)?.clone();
        let trip = &mut self.entries.get_mut(&id)?.trip;
        if trip.left.is_none() {
            trip.left = Some((at, how));
            self.leaving.push(id.clone());
        }
        Some(id)
    }

    /// These mails as the rules judge them.
    fn judged(&mut self, ids: Vec<String>, at: Duration) -> Vec<Rested> {
        let mut all = Vec::new();
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let strikes = self.strikes.iter().filter(|struck| entry.trip.is_struck_by(struck)).cloned().collect();
            if let Some(message) = &entry.trip.message {
                self.messages.remove(message);
            }
            all.extend(entry.rested(strikes, at));
        }
        all
    }

    fn forget(&mut self, old: Duration) {
        self.early.retain(|(_, sent)| sent.at > old);
        self.early_notices.forget(old);
        self.strikes.drain(..self.strikes.len().saturating_sub(MOST_STRIKES));
        // A mail that waits long keeps the strikes on it.
        let messages = &self.messages;
        self.strikes.retain(|struck| struck.at > old || struck.message.as_ref().is_some_and(|message| messages.contains_key(message)));
        let entries = &self.entries;
        let foreign = |entry: &Entry| entry.mail.is_none() && entry.trip.left.is_some_and(|(at, _)| at <= old);
        for id in self.leaving.extract_if(.., |id| entries.get(id).is_some_and(foreign)).collect::<Vec<_>>() {
            if let Some(message) = self.entries.remove(&id).and_then(|entry| entry.trip.message) {
                self.messages.remove(&message);
            }
        }
    }
}

impl Entry {
    /// `None` if no sender knows of it.
    fn account(&self) -> Option<Account<'_>> {
        let mail = self.mail.as_ref()?;
        let left = |how| self.trip.left.filter(|(_, left)| *left == how).map(|(at, _)| at);
        let ends = [
            (dispositions::delivered(&mail.expected, &self.sent), Disposition::Delivered),
            (self.notices.iter().min().copied(), Disposition::Fallback),
            (left(Left::DeadLetter), Disposition::DeadLetter),
            (left(Left::Expired), Disposition::Expired),
        ];
        let ends: Vec<_> = ends.into_iter().filter_map(|(at, end)| Some((at?, end))).collect();
        Some(Account {
            mail,
            message: self.trip.message.as_deref(),
            first: ends.iter().min().copied(),
            ends: ends.len(),
            came_again: dispositions::came_again(&self.sent) || self.notices.len() > 1,
            is_acknowledged: self.trip.ended_as(Left::Deleted),
        })
    }

    /// Its first end, reported once.
    fn first_end(&mut self) -> Option<Ended> {
        let account = self.account().filter(|account| !self.is_told && account.first.is_some())?;
        let ended = self.ended(&account);
        self.is_told = true;
        Some(ended)
    }

    fn ended(&self, account: &Account<'_>) -> Ended {
        let outcome = |end| if account.mail.expected.is(end) { Outcome::Answered } else { Outcome::Failed };
        Ended {
            endpoint: ENDPOINT,
            identity: account.message.map(str::to_owned),
            due: account.mail.due,
            since: self.taken.unwrap_or(account.mail.done),
            end: account.first.map(|(at, end)| (at, outcome(end))),
        }
    }

    /// What the rules judge. Afterwards only the addresses are kept.
    fn rested(&mut self, strikes: Vec<Struck>, at: Duration) -> Option<Rested> {
        self.is_judged = true;
        let addresses = self.sent.iter().map(Sent::address).collect();
        let (mut sent, stored) = (std::mem::replace(&mut self.sent, addresses), std::mem::take(&mut self.stored));
        let mail = self.mail.as_ref().filter(|mail| mail.expected != Expected::Refused)?.clone();
        sent.sort_by_key(|sent| sent.at);
        Some(Rested { mail, sent, notices: self.notices.len() as u32, stored, trip: self.trip.clone(), strikes, at })
    }
}

/// The token in square brackets: the first bracketed word that begins as tokens do.
fn token(text: &str) -> Option<&str> {
    let words = text.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    words.map(|(word, _)| word).find(|word| word.starts_with("m-") && !word.contains(char::is_whitespace))
}

/// A rule that judges each mail once, when the mail can be judged.
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
    fn a_mail_is_judged_once_when_all_is_known_in_any_order() {
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
            let held = (book.messages.len(), book.leaving.len(), book.early.len() + book.early_notices.len());
            assert_eq!(held, (0, 0, 0));
            // Its addresses are kept for the table.
            let kept = &book.entries["id-1"];
            assert_eq!((kept.sent[0].to.len(), kept.sent[0].links.len(), kept.stored.len()), (2, 0, 0));
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
        let held = [book.entries.len(), book.messages.len(), book.leaving.len(), book.early.len(), book.strikes.len()];
        assert!(held.iter().all(|held| *held < 200), "{held:?}");
    }

    #[test]
    fn a_strike_without_a_message_counts_for_every_mail_under_way() {
        let trip = Trip { message: Some("q".into()), queued: s(1.0), left: Some((s(5.0), Left::Deleted)), ..Trip::default() };
        for (message, at, expected) in
            [(Some("q"), 50.0, true), (Some("r"), 2.0, false), (None, 2.0, true), (None, 5.5, true), (None, 0.5, false), (None, 7.0, false)]
        {
            let struck = made::strike(message, at, "kill-middle");
            assert_eq!(trip.is_struck_by(&struck), expected, "{message:?} {at}");
        }
    }
}
