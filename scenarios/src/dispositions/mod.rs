//! What became of every mail, every sign-in and every expired row: told the moment it is known, and added up at the end. A pure fold over what
//! happened; it judges nothing.

mod expiries;
mod mails;
mod sign_ins;

#[cfg(test)]
mod histories;

use crate::Event;
use crate::exchange::Disposed;

pub use expiries::{Expired, ExpiryBooks, ExpiryFate};
pub use mails::{MailAccount, MailBooks};
pub use sign_ins::{SignIn, SignInBooks, SignInFate};

/// Everything that was set out and what became of it so far. Events may come in any order: sightings and exchanges reach the harness on two ways.
#[derive(Debug, Default)]
pub struct Dispositions {
    mails: mails::Mails,
    sign_ins: sign_ins::SignIns,
    expiries: expiries::Expiries,
}

impl Dispositions {
    /// Looks at one event; mails that came to their first end by it are told.
    pub fn see(&mut self, event: &Event) -> Vec<Disposed> {
        self.sign_ins.see(event);
        self.expiries.see(event);
        self.mails.see(event).into_iter().collect()
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

    /// Every row that came to its end and what became of its member.
    pub fn expiries(&self) -> impl Iterator<Item = Expired<'_>> {
        self.expiries.accounts()
    }
}
