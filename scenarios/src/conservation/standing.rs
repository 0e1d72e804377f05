//! Rules that hold from the first request on, whatever was asked: what must never be at a place, and
//! queues whose messages must all leave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use run_folder::effects::{Change, Effect, Place};

use super::blame::Accused;
use super::claims::{GRACE, Sought};
use super::records::Record;

/// An excerpt of what a message says has at most this many characters.
const EXCERPT: usize = 100;

/// What must never be there, and which things were found to break that.
#[derive(Debug)]
pub(super) struct Never {
    pub sought: Sought,
    pub label: String,
    found: BTreeSet<String>,
}

impl Never {
    pub(super) fn new(sought: Sought, label: String) -> Self {
        Self { sought, label, found: BTreeSet::new() }
    }

    /// Looks at a thing after an effect; each thing is found once.
    pub(super) fn see(&mut self, at: Duration, effect: &Effect, record: &Record) -> Option<Accused> {
        let is_new = matches!(effect.change, Change::Made | Change::Changed) && effect.place == self.sought.place;
        let breaks = is_new && record.is_about(&self.sought) && record.is_as(&self.sought);
        (breaks && self.found.insert(effect.id.clone())).then(|| accused(at, effect, "was found", &self.label))
    }
}

/// A breach by an effect, in words.
pub(super) fn accused(at: Duration, effect: &Effect, what: &str, label: &str) -> Accused {
    let thing = effect.place.thing();
    let says = match effect.text.trim() {
        "" if effect.place.keeps() => format!(": `{}`", effect.id),
        "" => String::new(),
        text => format!(": {}", excerpt(text)),
    };
    Accused { at, root: effect.root.clone(), what: format!("a {thing} {what} in `{label}`{says}"), id: effect.id.clone() }
}

fn excerpt(text: &str) -> String {
    let line: String = text.chars().take(EXCERPT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(EXCERPT).is_some() { format!("{line}...") } else { line }
}

/// The messages of a queue that have not left it.
#[derive(Debug)]
pub(super) struct Drains {
    queue: Place,
    within: Duration,
    waiting: BTreeMap<String, (Duration, Accused)>,
}

impl Drains {
    pub(super) fn new(queue: Place, within: Duration) -> Self {
        Self { queue, within, waiting: BTreeMap::new() }
    }

    /// Takes in an effect; returns whether a message left in time, or the breach.
    pub(super) fn see(&mut self, at: Duration, effect: &Effect) -> Option<Result<(), Accused>> {
        if effect.place != self.queue {
            return None;
        }
        let Place::Queue(name) = &effect.place else { return None };
        match effect.change {
            Change::Made => {
                let what = format!("stayed longer than {} s", self.within.as_secs_f64());
                self.waiting.insert(effect.id.clone(), (at, accused(at, effect, &what, name)));
                None
            }
            Change::Gone => self.waiting.remove(&effect.id).map(|_| Ok(())),
            Change::Expired => self.waiting.remove(&effect.id).map(|_| Err(accused(at, effect, "expired", name))),
            Change::Changed => None,
        }
    }

    /// The messages that should have left by now.
    pub(super) fn overdue(&mut self, now: Duration, is_end: bool) -> Vec<Accused> {
        let grace = if is_end { Duration::ZERO } else { GRACE };
        let over: Vec<String> =
            self.waiting.iter().filter(|(_, (since, _))| now >= *since + self.within + grace).map(|(id, _)| id.clone()).collect();
        over.iter().filter_map(|id| Some(self.waiting.remove(id)?.1)).collect()
    }

    /// When the messages were sent that may still leave in time.
    pub(super) fn under_way(&self, now: Duration) -> impl Iterator<Item = Duration> {
        self.waiting.values().map(|(since, _)| *since).filter(move |since| now < *since + self.within + GRACE)
    }
}
