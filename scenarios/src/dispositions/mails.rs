//! The books of mail: each mail joined with what the services saw of it, by its token in subjects and by its id in queues.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::systems::mail::{FALLBACK, QUEUE};
use run_folder::Seen;

use super::Unfinished;
use crate::Event;
use crate::exchange::{Disposed, Disposition, Expected, Mail};
use crate::mails::{EarlyNotices, words};

/// A mail and what became of it.
#[derive(Debug, Clone)]
pub struct MailAccount<'a> {
    /// The mail.
    pub mail: &'a Mail,
    /// Its first disposition, and when that was.
    pub first: Option<(Duration, Disposition)>,
    /// All its different dispositions, the first among them.
    pub dispositions: BTreeSet<Disposition>,
    /// The id of the queue's message about it, where one was seen.
    pub message: Option<&'a str>,
    /// How often a reader was addressed again, or the same notice published again.
    pub duplicates: u64,
    /// Its message was deleted from the queue, as if all were well.
    pub acknowledged: bool,
}

/// Mails by what became of them: `taken` is the sum of `delivered` to `in_flight`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailBooks {
    /// Mails that were sent.
    pub sent: u64,
    /// Of these, taken by the server, which told an id.
    pub taken: u64,
    /// First handed to SES for all readers.
    pub delivered: u64,
    /// First told to the fallback topic.
    pub fallback: u64,
    /// First in the dead-letter queue.
    pub dead_letter: u64,
    /// First expired in the queue.
    pub expired: u64,
    /// Acknowledged, and nothing became of it.
    pub lost: u64,
    /// Nothing became of it so far.
    pub in_flight: u64,
    /// Mails of which a reader or a notice came more than once.
    pub duplicated: u64,
    /// Mails with two different dispositions.
    pub doubles: u64,
}

impl MailBooks {
    /// Adds the accounts up, such as those of one arm.
    pub fn of<'a>(accounts: impl Iterator<Item = MailAccount<'a>>) -> Self {
        accounts.fold(Self::default(), |mut books, account| {
            books.sent += 1;
            if account.mail.id.is_none() {
                return books;
            }
            books.taken += 1;
            *match account.first {
                Some((_, Disposition::Delivered)) => &mut books.delivered,
                Some((_, Disposition::Fallback)) => &mut books.fallback,
                Some((_, Disposition::DeadLetter)) => &mut books.dead_letter,
                Some((_, Disposition::Expired)) => &mut books.expired,
                None if account.acknowledged => &mut books.lost,
                None => &mut books.in_flight,
            } += 1;
            books.duplicated += u64::from(account.duplicates > 0);
            books.doubles += u64::from(account.dispositions.len() > 1);
            books
        })
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Mails {
    mails: Vec<(Mail, bool)>,
    by_token: HashMap<String, usize>,
    by_id: HashMap<String, usize>,
    /// What was seen of a token.
    told: HashMap<String, Told>,
    /// What was seen of an id.
    ways: HashMap<String, Way>,
    /// The id that a queue's message is about.
    about: HashMap<String, String>,
    /// Notices of mails that are not known yet.
    early: EarlyNotices,
}

/// What left the system about one mail.
#[derive(Debug, Default)]
struct Told {
    /// Recipients: when first, and how often.
    addressed: HashMap<String, (Duration, u64)>,
    /// Notices: when first, and how many.
    noticed: Option<(Duration, u64)>,
}

/// One mail's way through storage and queue.
#[derive(Debug, Default)]
struct Way {
    taken: Option<Duration>,
    message: Option<String>,
    redriven: Option<Duration>,
    expired: Option<Duration>,
    acknowledged: bool,
}

impl Mails {
    /// The mail that came to its first end by this event.
    pub(super) fn see(&mut self, event: &Event) -> Option<Disposed> {
        let place = match event {
            Event::Mail(mail) => Some(self.add(mail)),
            Event::Saw { at, seen } => self.saw(*at, seen),
            _ => None,
        }?;
        let (mail, told_already) = self.mails.get(place)?;
        let id = mail.id.clone().filter(|_| !told_already)?;
        let account = self.account(mail);
        let (at, disposition) = account.first?;
        let message = account.message.unwrap_or_default().to_owned();
        let arrived = self.arrived(mail, &id);
        let disposed =
            Disposed { id, message, phase: mail.phase, arrived, at, disposition, right: mail.expected.is(disposition), struck: Vec::new() };
        if let Some((_, told)) = self.mails.get_mut(place) {
            *told = true;
        }
        Some(disposed)
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = MailAccount<'_>> {
        self.mails.iter().map(|(mail, _)| self.account(mail))
    }

    pub(super) fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        self.accounts().filter(|account| account.first.is_none()).filter_map(|account| {
            let (mail, message) = (account.mail, account.message.map(str::to_owned));
            let id = mail.id.clone()?;
            let arrived = self.arrived(mail, &id);
            Some(Unfinished::Mail { id, message, arrived, phase: mail.phase })
        })
    }

    /// When the server had taken a mail, by its own word or else by its sender's.
    fn arrived(&self, mail: &Mail, id: &str) -> Duration {
        self.ways.get(id).and_then(|way| way.taken).unwrap_or(mail.done)
    }

    pub(super) fn taken(&self) -> u64 {
        self.ways.values().filter(|way| way.taken.is_some()).count() as u64
    }

    pub(super) fn unheard(&self) -> u64 {
        self.ways.iter().filter(|(id, way)| way.taken.is_some() && !self.by_id.contains_key(*id)).count() as u64
    }

    fn add(&mut self, mail: &Mail) -> usize {
        let place = self.mails.len();
        self.by_token.insert(mail.token.clone(), place);
        if let Some(id) = &mail.id {
            self.by_id.insert(id.clone(), place);
        }
        for at in self.early.take(mail) {
            self.noticed(&mail.token, at);
        }
        self.mails.push((mail.clone(), false));
        place
    }

    /// Notes a sighting; the place of the mail that it is about.
    fn saw(&mut self, at: Duration, seen: &Seen) -> Option<usize> {
        match seen {
            Seen::MailSent { to, subject, .. } => {
                let token = token(subject)?;
                let told = self.told.entry(token.to_owned()).or_default();
                for reader in to {
                    let (first, times) = told.addressed.entry(reader.clone()).or_insert((at, 0));
                    (*first, *times) = ((*first).min(at), *times + 1);
                }
                self.by_token.get(token).copied()
            }
            Seen::Published { topic, subject, message, .. } if topic == FALLBACK => {
                let known = |word: &str| self.by_id.get(word).or_else(|| self.by_token.get(word)).copied();
                let Some(place) = words(subject.as_deref(), message).find_map(known) else {
                    self.early.keep(at, subject.as_deref(), message);
                    return None;
                };
                let token = self.mails.get(place).map(|(mail, _)| mail.token.clone())?;
                self.noticed(&token, at);
                Some(place)
            }
            Seen::MailTaken { id, .. } => self.way(id, |way| way.taken = Some(at)),
            Seen::Queued { queue, message, about: Some(id) } if queue == QUEUE => {
                self.about.insert(message.clone(), id.clone());
                self.way(id, |way| way.message = Some(message.clone()))
            }
            Seen::Redriven { queue, message, .. } if queue == QUEUE => self.on_its_way(message, |way| way.redriven = Some(at)),
            Seen::Expired { queue, message, .. } if queue == QUEUE => self.on_its_way(message, |way| way.expired = Some(at)),
            Seen::Deleted { queue, message } if queue == QUEUE => self.on_its_way(message, |way| way.acknowledged = true),
            _ => None,
        }
    }

    fn on_its_way(&mut self, message: &str, note: impl FnOnce(&mut Way)) -> Option<usize> {
        let id = self.about.get(message)?.clone();
        self.way(&id, note)
    }

    fn way(&mut self, id: &str, note: impl FnOnce(&mut Way)) -> Option<usize> {
        note(self.ways.entry(id.to_owned()).or_default());
        self.by_id.get(id).copied()
    }

    fn noticed(&mut self, token: &str, at: Duration) {
        let told = self.told.entry(token.to_owned()).or_default();
        told.noticed = Some(told.noticed.map_or((at, 1), |(first, times)| (first.min(at), times + 1)));
    }

    fn account<'a>(&'a self, mail: &'a Mail) -> MailAccount<'a> {
        let way = mail.id.as_ref().and_then(|id| self.ways.get(id));
        let told = self.told.get(&mail.token);
        let ends = [
            (told.and_then(|told| told.delivered(&mail.expected)), Disposition::Delivered),
            (told.and_then(|told| told.noticed).map(|(first, _)| first), Disposition::Fallback),
            (way.and_then(|way| way.redriven), Disposition::DeadLetter),
            (way.and_then(|way| way.expired), Disposition::Expired),
        ];
        let ends: Vec<(Duration, Disposition)> = ends.into_iter().filter_map(|(at, end)| Some((at?, end))).collect();
        MailAccount {
            mail,
            first: ends.iter().min().copied(),
            dispositions: ends.into_iter().map(|(_, end)| end).collect(),
            message: way.and_then(|way| way.message.as_deref()),
            duplicates: told.map_or(0, Told::duplicates),
            acknowledged: way.is_some_and(|way| way.acknowledged),
        }
    }
}

impl Told {
    /// When the last of the readers was first addressed; where there should be none, when anybody was.
    fn delivered(&self, expected: &Expected) -> Option<Duration> {
        let first = |reader: &String| self.addressed.get(reader).map(|(first, _)| *first);
        match expected {
            Expected::Delivered { readers } => readers.iter().map(first).collect::<Option<Vec<_>>>()?.into_iter().max(),
            Expected::Fallback | Expected::DeadLetter | Expected::Refused => self.addressed.values().map(|(first, _)| *first).min(),
        }
    }

    fn duplicates(&self) -> u64 {
        let again: u64 = self.addressed.values().map(|(_, times)| times.saturating_sub(1)).sum();
        again + self.noticed.map_or(0, |(_, times)| times - 1)
    }
}

/// The token in square brackets: the first bracketed word that begins as tokens do.
fn token(text: &str) -> Option<&str> {
    let words = text.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    words.map(|(word, _)| word).find(|word| word.starts_with("m-") && !word.contains(char::is_whitespace))
}
