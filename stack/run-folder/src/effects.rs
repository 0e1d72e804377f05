//! What happens to the places that an experiment's rules name: a table, a queue, a bucket. The
//! harness says which places to watch, and the services tell of no other. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where something happens, by its physical name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A table: its rows.
    Table(String),
    /// A bucket: its objects.
    Bucket(String),
    /// A queue: its messages.
    Queue(String),
    /// A topic: what is published to it.
    Topic(String),
    /// A function: its invocations.
    Function(String),
    /// A state machine: its executions.
    Machine(String),
    /// All mail that is sent.
    Mail,
}

impl Place {
    /// What one thing there is called.
    pub const fn thing(&self) -> &'static str {
        match self {
            Self::Table(_) => "row",
            Self::Bucket(_) => "object",
            Self::Queue(_) => "message",
            Self::Topic(_) => "publication",
            Self::Function(_) => "invocation",
            Self::Machine(_) => "execution",
            Self::Mail => "mail",
        }
    }

    /// Its physical name.
    pub fn name(&self) -> &str {
        match self {
            Self::Table(name) | Self::Bucket(name) | Self::Queue(name) | Self::Topic(name) | Self::Function(name) | Self::Machine(name) => {
                name
            }
            Self::Mail => "sent mail",
        }
    }

    /// Whether things stay there until they are removed. A message or an invocation has happened,
    /// and what becomes of it changes nothing about that.
    pub const fn keeps(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Bucket(_))
    }
}

/// How a thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was stored, sent, published or started. A row that is put again is stored again.
    Made,
    /// A row was updated, or an execution ended.
    Changed,
    /// It was deleted, or moved elsewhere.
    Gone,
    /// Its time to live or its retention was over.
    Expired,
}

/// Something that happened to one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Where.
    pub place: Place,
    /// What identifies the thing there: a row's key, an object's key, or an id.
    pub id: String,
    /// How it changed.
    pub change: Change,
    /// The trace root of the call that caused it, if the service knows it.
    pub root: Option<String>,
    /// What it is like now, as JSON: the watched attributes of a row with its key; of other things
    /// what their service knows.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// What it says: a message's body, an event, a mail's subject and text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl Effect {
    /// An effect without root, fields and text.
    pub fn new(place: Place, id: impl Into<String>, change: Change) -> Self {
        Self { place, id: id.into(), change, root: None, fields: Map::new(), text: String::new() }
    }
}

/// A message that its queue moved to a dead-letter queue says in this field where it came from.
pub const MOVED_FROM: &str = "moved-from";
/// The same message, in the queue that it left: where it went.
pub const MOVED_TO: &str = "moved-to";
/// How long ago a moved message was sent, in milliseconds.
pub const AGE_MS: &str = "age-ms";

/// Which places are watched, and the attributes of rows that are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Place, BTreeSet<String>)>", into = "Vec<(Place, BTreeSet<String>)>")]
pub struct Watch(BTreeMap<Place, BTreeSet<String>>);

impl From<Vec<(Place, BTreeSet<String>)>> for Watch {
    fn from(places: Vec<(Place, BTreeSet<String>)>) -> Self {
        Self(places.into_iter().collect())
    }
}

impl From<Watch> for Vec<(Place, BTreeSet<String>)> {
    fn from(watch: Watch) -> Self {
        watch.0.into_iter().collect()
    }
}

impl Watch {
    /// Watches a place, and these attributes of its rows.
    pub fn add(&mut self, place: Place, attributes: impl IntoIterator<Item = String>) {
        self.0.entry(place).or_default().extend(attributes);
    }

    /// Watches everything that `other` watches, too.
    pub fn extend(&mut self, other: Self) {
        other.0.into_iter().for_each(|(place, attributes)| self.add(place, attributes));
    }

    /// The attributes to tell of, if the place is watched.
    pub fn attributes(&self, place: &Place) -> Option<&BTreeSet<String>> {
        self.0.get(place)
    }

    /// Whether no place is watched.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seen, Sighting};

    #[test]
    fn a_watch_and_an_effect_are_read_as_they_were_written() {
        let mut watch = Watch::default();
        watch.add(Place::Table("orders".into()), ["state".to_owned()]);
        watch.add(Place::Table("orders".into()), ["amount".to_owned()]);
        watch.add(Place::Mail, []);
        let read: Watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
        assert_eq!(read, watch);
        assert_eq!(read.attributes(&Place::Table("orders".into())).map(BTreeSet::len), Some(2));
        assert!(read.attributes(&Place::Queue("orders".into())).is_none());
        for place in [Place::Queue("q".into()), Place::Mail] {
            let effect = Effect { text: "{\"id\":1}".into(), root: Some("1-a-b".into()), ..Effect::new(place, "m-1", Change::Made) };
            let sighting = Sighting { at_us: 7, root: None, seen: Seen::Effect(effect) };
            assert_eq!(Sighting::from_line(sighting.to_line().trim()), Some(sighting));
        }
    }
}
