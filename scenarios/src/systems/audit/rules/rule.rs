//! A rule that judges each audit record: what is right stands in the file of each rule. A record is told of once, however often it is looked at.

use std::collections::HashSet;

use crate::Event;

use super::book::{RecordBook, Rested};
use crate::invariants::{Breach, Invariant, NOTHING, Quiet};

/// What a rule says of a record.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// Not yet, or nothing that this rule is about.
    None,
    /// As it should be.
    Right,
    /// Not as it should be.
    Wrong(Box<Breach>),
}

impl Judgement {
    /// Right unless there is a breach.
    pub(crate) fn of(breach: Option<Breach>) -> Self {
        breach.map_or(Self::Right, |breach| Self::Wrong(Box::new(breach)))
    }
}

type Judges = fn(&Rested<'_>) -> Judgement;

pub(crate) struct RecordRule {
    id: &'static str,
    text: &'static str,
    judges: Judges,
    book: RecordBook,
    /// Records that are under judgement: checked, and whether a breach was told.
    told: Told,
}

#[derive(Default)]
struct Told {
    checked: HashSet<String>,
    broken: HashSet<String>,
}

impl RecordRule {
    pub(crate) fn new(id: &'static str, text: &'static str, judges: Judges) -> Self {
        Self { id, text, judges, book: RecordBook::default(), told: Told::default() }
    }
}

impl Told {
    /// What is new in a judgement.
    fn take(&mut self, rested: &Rested<'_>, judgement: Judgement, (breaches, checks): &mut (Vec<Breach>, u64)) {
        let id = &rested.record.id;
        if judgement != Judgement::None && self.checked.insert(id.clone()) {
            *checks += 1;
        }
        if let Judgement::Wrong(breach) = judgement
            && self.broken.insert(id.clone())
        {
            breaches.push(*breach);
        }
        if rested.is_over {
            self.checked.remove(id);
            self.broken.remove(id);
        }
    }
}

impl Invariant for RecordRule {
    fn id(&self) -> &'static str {
        self.id
    }

    fn rule(&self) -> &'static str {
        self.text
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Self { judges, book, told, .. } = self;
        let mut found = NOTHING;
        book.see(event, |rested| told.take(rested, judges(rested), &mut found));
        found
    }

    fn settled(&mut self, quiet: &Quiet) -> (Vec<Breach>, u64) {
        let Self { judges, book, told, .. } = self;
        let mut found = NOTHING;
        book.settled(quiet, |rested| told.take(rested, judges(rested), &mut found));
        found
    }
}
