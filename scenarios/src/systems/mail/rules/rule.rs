//! A rule that judges each mail once, when it has come to rest. It only keeps the book; what is right stands in the file of each rule.

use crate::Event;

use super::book::{MailBook, Rested, judge};
use crate::invariants::{Breach, Invariant, Quiet};

/// The breaches of a mail at rest, and how often it was checked.
type Judges = fn(&Rested) -> (Vec<Breach>, u64);

pub(crate) struct MailRule {
    id: &'static str,
    text: &'static str,
    judges: Judges,
    book: MailBook,
}

impl MailRule {
    pub(crate) fn new(id: &'static str, text: &'static str, judges: Judges) -> Self {
        Self { id, text, judges, book: MailBook::default() }
    }
}

impl Invariant for MailRule {
    fn id(&self) -> &'static str {
        self.id
    }

    fn rule(&self) -> &'static str {
        self.text
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        judge(&self.book.see(event), self.judges)
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        judge(&self.book.settled(quiet), self.judges)
    }
}
