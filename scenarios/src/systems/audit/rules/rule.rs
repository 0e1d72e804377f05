//! A rule that judges each audit record; each rule's file says what is right. A breach is reported
//! once per record, however often the rule looks at it.

use std::collections::HashSet;

use super::book::RecordBook;
use super::known::Rested;
use crate::invariants::{Breach, Found, NOTHING, Rule};

/// What a rule says of a record.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// Not decided yet, or nothing that this rule covers.
    None,
    /// Correct.
    Right,
    /// Wrong.
    Wrong(Box<Breach>),
}

impl Judgement {
    /// Right unless there is a breach.
    pub(crate) fn of(breach: Option<Breach>) -> Self {
        breach.map_or(Self::Right, |breach| Self::Wrong(Box::new(breach)))
    }
}

/// A rule that judges each record whenever the book looks at it.
pub(crate) fn each(id: &'static str, text: &'static str, rule: fn(&Rested) -> Judgement) -> Rule<RecordBook> {
    let mut told = Told::default();
    Rule::<RecordBook>::new(id, text, move |_, rested, _| {
        let mut found = NOTHING;
        rested.iter().for_each(|rested| told.take(rested, rule(rested), &mut found));
        found
    })
}

/// Records under judgement: those that were checked, and those with a reported breach.
#[derive(Default)]
struct Told {
    checked: HashSet<String>,
    broken: HashSet<String>,
}

impl Told {
    /// Adds what is new in a judgement.
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
