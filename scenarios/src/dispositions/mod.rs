//! What became of every mail, every sign-in, every expired row and every audit record: told the moment it is known, and added up at the end. A pure fold over what
//! happened; it judges nothing.

mod expiries;
mod mails;
mod records;
mod sign_ins;

#[cfg(test)]
mod histories;

use std::time::Duration;

use reports::Phase;

use crate::Event;
use crate::exchange::{Closed, Disposed};

pub use expiries::{Expired, ExpiryBooks, ExpiryFate};
pub use mails::{MailAccount, MailBooks};
pub use records::{RecordAccount, RecordBooks, RecordFate};
pub use sign_ins::{SignIn, SignInBooks, SignInFate};

/// Everything that was set out and what became of it so far. Events may come in any order: sightings and exchanges reach the harness on two ways.
#[derive(Debug, Default)]
pub struct Dispositions {
    mails: mails::Mails,
    sign_ins: sign_ins::SignIns,
    expiries: expiries::Expiries,
    records: records::Records,
}

/// Something that came to its first end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstEnd {
    /// A mail.
    Mail(Disposed),
    /// An accepted audit record.
    Record(Closed),
}

/// Something that was set out and has not come to its end: for an aim on the time to the end it is too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// A mail that was taken and has no disposition, also where it was acknowledged and is lost.
    Mail {
        /// The mail's message id, the object's key.
        id: String,
        /// The id of the queue's message about it, where one was seen: what the rolls hang on.
        message: Option<String>,
        /// When the server had taken it.
        arrived: Duration,
        /// The phase in which it was due.
        phase: Option<Phase>,
    },
    /// An audit record that was answered 200 and is neither closed nor among the dead letters.
    Record {
        /// The root of the trace of the request that was answered 200 first: what the rolls hang on.
        root: String,
        /// When it was answered.
        accepted: Duration,
        /// The phase in which that request was due.
        phase: Option<Phase>,
    },
    /// A member whose row expired and who was not disabled, is not gone and has not signed in again, also where the record was given up.
    Expiry {
        /// The row's key, the member's `sub`.
        key: String,
        /// When the row was deleted.
        expired: Duration,
    },
}

impl Dispositions {
    /// What has not come to its end. To be asked once the run has ended and all sightings are in.
    pub fn unfinished(&self) -> impl Iterator<Item = Unfinished> {
        self.mails.unfinished().chain(self.records.unfinished()).chain(self.expiries.unfinished())
    }

    /// Looks at one event; the mail or record that came to its first end by it is told.
    pub fn see(&mut self, event: &Event) -> Option<FirstEnd> {
        self.sign_ins.see(event);
        self.expiries.see(event);
        let record = self.records.see(event).map(FirstEnd::Record);
        self.mails.see(event).map(FirstEnd::Mail).or(record)
    }

    /// Every mail that was sent and what became of it.
    pub fn mails(&self) -> impl Iterator<Item = MailAccount<'_>> {
        self.mails.accounts()
    }

    /// Mails that a server took, by its own word: senders and server must agree, or a mail is missing in the books.
    pub fn taken(&self) -> u64 {
        self.mails.taken()
    }

    /// Mails that a server took while their sender was not told so: nothing more can be said of them.
    pub fn unheard(&self) -> u64 {
        self.mails.unheard()
    }

    /// Every sign-in by password and what became of its record. To be asked once all sightings are in: a record that is not seen yet counts as lost.
    pub fn sign_ins(&self) -> impl Iterator<Item = SignIn<'_>> {
        self.sign_ins.accounts()
    }

    /// Every audit record that was sent and what became of it.
    pub fn records(&self) -> impl Iterator<Item = RecordAccount<'_>> {
        self.records.accounts()
    }

    /// Executions of the audit that are under way, and accepted records of which nothing was seen yet.
    pub fn executions_under_way(&self) -> usize {
        self.records.under_way()
    }

    /// Every row that came to its end and what became of its member.
    pub fn expiries(&self) -> impl Iterator<Item = Expired<'_>> {
        self.expiries.accounts()
    }
}
