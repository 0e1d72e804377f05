//! Sent mail, for people and for the harness. The oldest is dropped first.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

/// The most mails kept.
const MOST: usize = 1000;

/// A sent mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// SES's id of the mail.
    pub id: String,
    /// When.
    pub at: SystemTime,
    /// The sender: the address only.
    pub from: String,
    /// All recipients: To, Cc and Bcc, the addresses only.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The text that its readers see, decoded: text and HTML parts one after the other, at most 64
    /// KiB.
    pub text: String,
    /// How many attachments it has.
    pub attachments: u32,
}

/// The sent mails.
#[derive(Debug, Default)]
pub struct Mailbox(Mutex<VecDeque<Sent>>);

impl Mailbox {
    /// The mails, newest last.
    pub fn mails(&self) -> Vec<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Adds a mail, and drops the oldest if there are too many.
    pub fn keep(&self, mail: Sent) {
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if mails.len() >= MOST {
            mails.pop_front();
        }
        mails.push_back(mail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_thousand_are_kept() {
        let mailbox = Mailbox::default();
        for n in 0..MOST + 3 {
            let (from, to, subject, text) = (String::new(), Vec::new(), String::new(), String::new());
            mailbox.keep(Sent { id: n.to_string(), at: SystemTime::UNIX_EPOCH, from, to, subject, text, attachments: 0 });
        }
        let mails = mailbox.mails();
        assert_eq!((mails.len(), mails[0].id.as_str(), mails[MOST - 1].id.as_str()), (MOST, "3", "1002"));
    }
}
