//! A rule that judges each audit record: what is right stands in the file of each rule. A record is told of once, however often it is looked at.

use std::collections::HashSet;

use super::book::RecordBook;
use super::known::Rested;
use crate::invariants::{Breach, Found, NOTHING, Rule};

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

/// A rule that judges each record, whenever it is looked at.
pub(crate) fn each(id: &'static str, text: &'static str, rule: fn(&Rested) -> Judgement) -> Rule<RecordBook> {
    let mut told = Told::default();
    Rule::<RecordBook>::new(id, text, move |_, rested, _| {
        let mut found = NOTHING;
        rested.iter().for_each(|rested| told.take(rested, rule(rested), &mut found));
        found
    })
}

/// Records that are under judgement: checked, and whether a breach was told.
#[derive(Default)]
struct Told {
    checked: HashSet<String>,
    broken: HashSet<String>,
}

impl Told {
    /// What is new in a judgement.
    fn take(&mut self, rested: &Rested, judgement: Judgement, (breaches, checks): &mut Found) {
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
