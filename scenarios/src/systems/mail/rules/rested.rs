//! A mail as the rules judge it, once: what was expected of it, who received it, its way through
//! the queue, and the faults that struck it.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::exchange::Mail;
use crate::strike::{Handler, Struck};
use crate::systems::mail::MARKER;

/// How far ahead one of two sides may be when both report the same moment.
const SLACK: Duration = Duration::from_millis(50);
/// The function's timeout and a little more: an attempt that died may block the mail for the next
/// attempt this long. The function's time is not compressed.
pub(crate) const LONGEST_ATTEMPT: Duration = Duration::from_secs(16);
/// No text is searched for more addresses than this.
const MOST_ADDRESSES: usize = 256;

/// A mail as it was handed to SES.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    /// All recipients.
    pub(crate) to: Vec<String>,
    /// The links in it, each once, without their query strings.
    pub(crate) links: BTreeSet<String>,
    /// Words in it that look like addresses.
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
    pub(super) queued: Duration,
    /// How often it was handed out.
    pub(crate) receives: u32,
    pub(super) last_receive: Duration,
    pub(crate) left: Option<(Duration, Left)>,
}

/// A mail to judge.
#[derive(Debug)]
pub(crate) struct Rested {
    pub(crate) mail: Mail,
    /// What was handed to SES, in order of time.
    pub(crate) sent: Vec<Sent>,
    /// How many notices to the fallback topic.
    pub(crate) notices: u32,
    /// Keys of its attachments in storage.
    pub(crate) stored: BTreeSet<String>,
    pub(crate) trip: Trip,
    /// The faults that struck it.
    pub(crate) strikes: Vec<Struck>,
    /// When it is judged.
    pub(crate) at: Duration,
}

impl Trip {
    /// Whether it reached the queue at all.
    pub(crate) const fn began(&self) -> bool {
        self.message.is_some()
    }

    pub(crate) fn ended_as(&self, how: Left) -> bool {
        self.left.is_some_and(|(_, left)| left == how)
    }

    /// A strike without a known message may have hit any mail that was under way.
    pub(super) fn is_struck_by(&self, struck: &Struck) -> bool {
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
    /// Whether it was sent to any reader or to the fallback topic.
    pub(crate) fn came_out(&self) -> bool {
        !self.sent.is_empty() || self.notices > 0
    }

    /// Whether this reader received it.
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

    /// Whether faults explain that the last delivery was not acknowledged: it was struck itself, or
    /// an attempt that died shortly before still held the mail.
    pub(crate) fn failure_is_explained(&self) -> bool {
        let held = |struck: &Struck| struck.handler() == Handler::Unsure && struck.at + LONGEST_ATTEMPT >= self.trip.last_receive;
        self.last_strikes().next().is_some() || self.strikes.iter().any(held)
    }
}

impl Sent {
    /// When and to whom, without its text.
    pub(super) fn address(&self) -> Self {
        Self { at: self.at, to: self.to.clone(), ..Self::default() }
    }

    /// Whether it was sent to this address.
    pub(crate) fn is_for(&self, address: &str) -> bool {
        self.to.iter().any(|to| to.eq_ignore_ascii_case(address))
    }

    pub(super) fn read(at: Duration, to: &[String], subject: &str, text: &str) -> Self {
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
