//! The rules of an experiment's file, checked: what must happen at a place after an answer, what
//! must never happen there, and which queues must drain. Nothing is judged here.

use std::collections::BTreeMap;
use std::time::Duration;

use load::chance::Chance;
use run_folder::{Place, Watch};
use serde_json::Value;

use crate::journeys::{Json, Text};

/// How long after its time an effect may still be heard of, on a busy machine.
pub(super) const GRACE: Duration = Duration::from_secs(2);

/// What the file says, and what is judged besides on a stack of one's own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conservation {
    /// The rules of the file.
    pub rules: Vec<FileRule>,
    /// The dead-letter queues of the template, if messages there are judged.
    pub dead_letters: Vec<Place>,
    /// When faults begin; `None` if the experiment has none.
    pub faults_from: Option<Duration>,
}

impl Conservation {
    /// The places of which the services must tell, for its rules.
    pub fn watch(&self) -> Watch {
        let mut watch = Watch::default();
        for rule in &self.rules {
            for wanted in rule.claim.wanted() {
                watch.add(wanted.place.clone(), wanted.equals.iter().map(|(name, _)| name.clone()));
            }
            if let Claim::Drains { queue, .. } = &rule.claim {
                watch.add(queue.clone(), []);
            }
        }
        self.dead_letters.iter().for_each(|queue| watch.add(queue.clone(), []));
        watch
    }

    /// The longest time until a rule is decided.
    pub fn longest(&self) -> Duration {
        self.rules.iter().map(|rule| rule.claim.within() + GRACE).max().unwrap_or_default()
    }
}

/// A rule of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    /// Its name, by which reports know it.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub sentence: &'static str,
    /// The same, to be judged.
    pub claim: Claim,
}

/// What a rule claims.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// After each of these answers, exactly one of the outcomes comes about in time. Most rules have
    /// one outcome.
    After {
        /// Which answers.
        when: When,
        /// One outcome, or alternatives of which exactly one comes about.
        outcomes: Vec<Wanted>,
        /// How long after the answer.
        within: Duration,
    },
    /// This is never there.
    Never(Wanted),
    /// Each message leaves the queue in time: it is deleted, or moved to a dead-letter queue.
    Drains {
        /// The queue.
        queue: Place,
        /// How long after it was sent.
        within: Duration,
    },
}

impl Claim {
    /// How long it may take until the claim is decided.
    pub const fn within(&self) -> Duration {
        match self {
            Self::After { within, .. } | Self::Drains { within, .. } => *within,
            Self::Never(_) => Duration::ZERO,
        }
    }

    /// What it is about: places, and what is looked for in them.
    pub fn wanted(&self) -> &[Wanted] {
        match self {
            Self::After { outcomes, .. } => outcomes,
            Self::Never(wanted) => std::slice::from_ref(wanted),
            Self::Drains { .. } => &[],
        }
    }

    /// The places that it is about.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        let queue = if let Self::Drains { queue, .. } = self { Some(queue) } else { None };
        self.wanted().iter().map(|wanted| &wanted.place).chain(queue)
    }
}

/// Which answers a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The endpoint.
    pub of: &'static str,
    /// The statuses, as ranges with both ends.
    pub statuses: Vec<(u16, u16)>,
}

impl When {
    /// Whether an answer with this status counts.
    pub fn has(&self, status: u16) -> bool {
        self.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}

/// Things of a place, and how many of them there should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where.
    pub place: Place,
    /// The fields that identify a thing: attributes of a row's key, the key of an object, the
    /// reader of a mail.
    pub key: Vec<(String, Text)>,
    /// A text that occurs in it as a whole word.
    pub about: Option<Text>,
    /// What its fields are like.
    pub equals: Vec<(String, Json)>,
    /// How often.
    pub times: Times,
}

/// How often something should happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// It is there, however often it was stored or sent.
    There,
    /// Exactly so often.
    Exactly(u32),
    /// So often or more.
    AtLeast(u32),
    /// So often or less.
    AtMost(u32),
}

impl Times {
    /// The fewest.
    pub const fn least(self) -> u32 {
        match self {
            Self::There => 1,
            Self::Exactly(n) | Self::AtLeast(n) => n,
            Self::AtMost(_) => 0,
        }
    }

    /// The most, if that is bounded.
    pub const fn most(self) -> Option<u32> {
        match self {
            Self::Exactly(n) | Self::AtMost(n) => Some(n),
            Self::There | Self::AtLeast(_) => None,
        }
    }
}

/// What one answer lets expect: the texts are filled in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sought {
    pub place: Place,
    pub key: Vec<(String, String)>,
    pub about: Option<String>,
    pub equals: Vec<(String, Value)>,
    pub times: Times,
}

impl Wanted {
    /// The names of the values that its texts need.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let key = self.key.iter().flat_map(|(_, text)| text.names());
        let about = self.about.iter().flat_map(Text::names);
        key.chain(about).chain(self.equals.iter().flat_map(|(_, value)| value.names()))
    }

    /// The texts with these values; `None` if one is missing, as when an answer had no such field.
    pub(super) fn filled(&self, values: &BTreeMap<String, String>) -> Option<Sought> {
        if self.names().any(|name| values.get(name).is_none_or(String::is_empty)) {
            return None;
        }
        // The check lets no text through that is made up by chance.
        let mut chance = Chance::new(&[]);
        let key = self.key.iter().map(|(name, text)| (name.clone(), text.filled(values, &mut chance))).collect();
        let about = self.about.as_ref().map(|text| text.filled(values, &mut chance));
        let equals = self.equals.iter().map(|(name, value)| (name.clone(), value.filled(values, &mut chance))).collect();
        Some(Sought { place: self.place.clone(), key, about, equals, times: self.times })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_whose_value_is_missing_seeks_nothing() {
        let text = |text: &str| Text::read(text, |_| None).unwrap();
        let wanted = Wanted {
            place: Place::Table("orders".into()),
            key: vec![("id".into(), text("{{order}}"))],
            about: None,
            equals: vec![("amount".into(), Json::Text(text("{{sent /amount}}")))],
            times: Times::There,
        };
        assert_eq!(wanted.names().collect::<Vec<_>>(), ["order", "sent /amount"]);
        let values = |order: &str| BTreeMap::from([("order".to_owned(), order.to_owned()), ("sent /amount".to_owned(), "2".to_owned())]);
        let sought = wanted.filled(&values("o-1")).unwrap();
        assert_eq!((sought.key, sought.equals), (vec![("id".into(), "o-1".into())], vec![("amount".into(), "2".into())]));
        assert_eq!(wanted.filled(&values("")), None);
        assert_eq!(wanted.filled(&BTreeMap::new()), None);
    }

    #[test]
    fn a_class_and_a_list_of_statuses_have_theirs() {
        let when = When { of: "buy place", statuses: vec![(200, 299), (404, 404)] };
        assert_eq!([199, 200, 299, 300, 404, 405].map(|status| when.has(status)), [false, true, true, false, true, false]);
    }
}
