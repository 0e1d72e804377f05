//! Fixtures for the tests of the mail's rules: the history of one mail, reported by all who saw a
//! part of it.

use std::time::Duration;

use crate::systems::mail::{ATTACHMENTS, DEAD_LETTERS, FALLBACK, INCOMING, MARKER, QUEUE, SENDER};
use faults::Place;
use reports::{Outcome, Phase};
use run_folder::Seen;

use super::book::{FUNCTION, MailBook};
use super::rested::Rested;
use crate::Event;
use crate::exchange::{Attachment, Expected, LinkLife, LinkTried, Mail, MailForm};
use crate::invariants::fixtures::s;
use crate::invariants::{Book, Quiet};
use crate::strike::Struck;

pub(crate) fn strike(message: Option<&str>, at: f64, action: &str) -> Struck {
    let place = Place::Function(FUNCTION.into());
    Struck { message: message.map(str::to_owned), fault: "test".into(), place, action: action.parse().unwrap(), at: s(at) }
}

pub(crate) fn ses_strike(at: f64, message: Option<&str>) -> Event {
    let place = Place::Service { name: "ses".into(), operation: Some("SendEmail".into()) };
    Event::Struck(Box::new(Struck { place, ..strike(message, at, "refuse") }))
}

/// A mail with two readers and one attachment, handed in at 0.5 s and queued at 0.9 s. Tests add
/// what happens then.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) mail: Mail,
    message: String,
    from: Duration,
    receives: u32,
    queued: bool,
    then: Vec<Event>,
}

impl Story {
    pub(crate) fn new(n: u32) -> Self {
        let token = format!("m-7-{n:06}");
        let readers = (0..2).map(|k| format!("r{k}.{token}@readers.example")).collect();
        let mail = Mail {
            id: Some(format!("id-{n}")),
            phase: Some(Phase::Fault),
            due: s(0.5),
            sent: s(0.5),
            done: s(0.8),
            outcome: Outcome::Answered,
            form: MailForm::Mixed,
            size: 2345,
            expected: Expected::Delivered { readers },
            attachments: vec![Self::file(n, "reading.bin", 0)],
            token,
        };
        Self { mail, message: format!("q-{n}"), from: Duration::ZERO, receives: 0, queued: true, then: Vec::new() }
    }

    pub(crate) fn file(n: u32, name: &str, k: u32) -> Attachment {
        Attachment { name: name.to_owned(), size: 700, sha256: format!("{n:032x}{k:032x}") }
    }

    /// Shifts everything by this much.
    pub(crate) fn at(mut self, seconds: f64) -> Self {
        self.from = s(seconds);
        for at in [&mut self.mail.due, &mut self.mail.sent, &mut self.mail.done] {
            *at += self.from;
        }
        self
    }

    pub(crate) fn expected(mut self, expected: Expected) -> Self {
        self.mail.form = match expected {
            Expected::Fallback => MailForm::NoList,
            Expected::DeadLetter => MailForm::Malformed,
            Expected::Delivered { .. } | Expected::Refused => self.mail.form,
        };
        self.mail.expected = expected;
        self
    }

    pub(crate) fn for_readers(self, count: usize) -> Self {
        let readers = (0..count).map(|k| format!("r{k}.{}@readers.example", self.mail.token)).collect();
        self.expected(Expected::Delivered { readers })
    }

    pub(crate) fn with(mut self, attachments: Vec<Attachment>) -> Self {
        self.mail.attachments = attachments;
        self
    }

    pub(crate) fn never_queued(mut self) -> Self {
        self.queued = false;
        self
    }

    pub(crate) fn saw(mut self, at: f64, seen: Seen) -> Self {
        self.then.push(Event::Saw { at: self.from + s(at), seen });
        self
    }

    pub(crate) fn received(mut self, at: f64) -> Self {
        self.receives += 1;
        let seen = Seen::Received { queue: QUEUE.into(), message: self.message.clone(), count: self.receives };
        self.saw(at, seen)
    }

    pub(crate) fn readers(&self) -> Vec<String> {
        match &self.mail.expected {
            Expected::Delivered { readers } => readers.clone(),
            _ => Vec::new(),
        }
    }

    fn id(&self) -> String {
        self.mail.id.clone().unwrap()
    }

    pub(crate) fn key(&self, n: usize) -> String {
        format!("{}/{n}-{}", self.id(), self.mail.attachments[n].name)
    }

    /// Stores the attachments and sends the mail to all its readers.
    pub(crate) fn sent(mut self, at: f64) -> Self {
        let keys: Vec<_> = (0..self.mail.attachments.len()).map(|n| self.key(n)).collect();
        for key in &keys {
            self = self.stored(at, key);
        }
        let readers = self.readers();
        readers.chunks(50).fold(self, |story, group| story.sent_to(at, group, &keys))
    }

    pub(crate) fn stored(self, at: f64, key: &str) -> Self {
        self.saw(at, Seen::ObjectStored { bucket: ATTACHMENTS.into(), key: key.to_owned(), size: 700, etag: String::new() })
    }

    pub(crate) fn sent_to(self, at: f64, to: &[String], keys: &[String]) -> Self {
        let links = keys.iter().map(|key| format!("http://127.0.0.1:1/{ATTACHMENTS}/{key}?X-Amz-Expires=129600\n")).collect::<String>();
        self.said(at, to, &format!("Line1: all is well\n{links}"))
    }

    pub(crate) fn said(self, at: f64, to: &[String], text: &str) -> Self {
        let seen = Seen::MailSent {
            id: format!("ses-{at}"),
            from: SENDER.into(),
            to: to.to_vec(),
            subject: format!("[{}] Reading of the sensor", self.mail.token),
            text: text.to_owned(),
            attachments: 0,
        };
        self.saw(at, seen)
    }

    pub(crate) fn noticed(self, at: f64) -> Self {
        let message = format!(r#"{{"messageId":"{}","title":"x"}}"#, self.id());
        self.noticed_as(at, None, &message)
    }

    /// A notice with this subject and message.
    pub(crate) fn noticed_as(self, at: f64, subject: Option<&str>, message: &str) -> Self {
        let (subject, message) = (subject.map(str::to_owned), message.to_owned());
        self.saw(at, Seen::Published { topic: FALLBACK.into(), id: "n".into(), subject, message })
    }

    pub(crate) fn deleted(self, at: f64) -> Self {
        let message = self.message.clone();
        self.saw(at, Seen::Deleted { queue: QUEUE.into(), message })
    }

    pub(crate) fn redriven(self, at: f64) -> Self {
        let message = self.message.clone();
        self.saw(at, Seen::Redriven { queue: QUEUE.into(), to: DEAD_LETTERS.into(), message })
    }

    pub(crate) fn expired(self, at: f64) -> Self {
        let (message, count) = (self.message.clone(), self.receives);
        self.saw(at, Seen::Expired { queue: QUEUE.into(), message, count })
    }

    pub(crate) fn struck(mut self, at: f64, action: &str) -> Self {
        let struck = strike(Some(&self.message), at, action);
        self.then.push(Event::Struck(Box::new(Struck { at: self.from + s(at), ..struck })));
        self
    }

    /// Handed out this many times, a second apart, each time struck as given; the next delivery is
    /// a second later.
    pub(crate) fn deliveries(self, count: u32, struck: Option<&str>) -> Self {
        (1..=count).fold(self, |story, n| {
            let story = story.received(f64::from(n));
            match struck {
                Some(action) => story.struck(f64::from(n) + 0.2, action),
                None => story,
            }
        })
    }

    pub(crate) fn link(mut self, at: f64, key: &str, status: u16, sha256: &str) -> Self {
        let (id, at) = (self.id(), self.from + s(at));
        let (key, sha256) = (key.to_owned(), Some(sha256.to_owned()));
        let life = Some(LinkLife::FromSigning(Duration::from_secs(129_600)));
        self.then.push(Event::LinkTried(Box::new(LinkTried { id, key, at, status: Some(status), sha256, life })));
        self
    }

    /// Every link works and returns its attachment.
    pub(crate) fn links(self, at: f64) -> Self {
        let files = self.mail.attachments.clone();
        files.iter().enumerate().fold(self, |story, (n, file)| {
            let key = story.key(n);
            story.link(at, &key, 200, &file.sha256)
        })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let mut events = vec![Event::Mail(Box::new(self.mail.clone()))];
        if self.queued {
            let saw = |at: f64, seen| Event::Saw { at: self.from + s(at), seen };
            events.push(saw(0.85, Seen::ObjectStored { bucket: INCOMING.into(), key: self.id(), size: 2345, etag: String::new() }));
            events.push(saw(0.9, Seen::Queued { queue: QUEUE.into(), message: self.message.clone(), about: self.mail.id.clone() }));
        }
        events.extend(self.then.clone());
        events
    }

    /// The mail as it is judged at the end.
    pub(crate) fn rested(&self) -> Rested {
        let mut book = MailBook::default();
        let mut rested: Vec<_> = self.events().iter().flat_map(|event| book.see(event)).collect();
        rested.extend(book.settled(&Quiet { at: s(600.0), ..Quiet::default() }));
        rested.pop().unwrap()
    }
}

/// A text as the published form would send it on, including the list.
pub(crate) fn with_list(readers: &[String]) -> String {
    format!("Line1: all is well\nLine2{MARKER}{}{MARKER}\n", readers.join(","))
}
