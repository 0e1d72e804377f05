//! The mailbox on the page.

use super::Ses;
use crate::services::shows::{Part, Rows, Shows, Thing};

/// The name of the one mailbox.
const ALL: &str = "sent mail";

impl Shows for Ses {
    fn things(&self) -> Vec<Thing> {
        let note = if self.identities.is_empty() { String::new() } else { format!("from {}", self.identities.join(", ")) };
        vec![Thing { note, ..Thing::new("list", ALL, self.mailbox.count()) }]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        let columns = ["At", "From", "To", "Subject", "Text", "Attachments"];
        (thing == ALL).then(|| {
            Rows::of(columns, self.mailbox.mails().into_iter().rev(), part, |mail| {
                let (at, to, attachments) = (dates::milliseconds(mail.at), mail.to.join(", "), mail.attachments.to_string());
                [at.into(), mail.from.into(), to.into(), mail.subject.into(), mail.text.into(), attachments.into()]
            })
        })
    }
}
