//! What happened to each thing of the watched places, so that a rule finds the things that an answer
//! is about without going through all of them.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use run_folder::effects::{Change, Effect, Place};
use serde_json::{Map, Value};

use super::claims::Sought;
use super::words;

/// A sighting's time may be off by this much from the generator's.
const CLOCKS: Duration = Duration::from_millis(5);

/// One thing, and its history.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// When it was stored, sent or started.
    pub made: Vec<Duration>,
    /// What its fields were from when on.
    versions: Vec<(Duration, Map<String, Value>)>,
    /// Whether it is there now.
    pub there: bool,
    text: String,
}

/// What is known of the things that are sought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// How often they were made, since the request was sent.
    pub made: u32,
    /// How often in time.
    pub in_time: u32,
    /// When the last was made.
    pub last: Duration,
    /// Whether one is there now, as it should be.
    pub there: bool,
    /// Whether one was there in time, as it should be.
    pub was_there: bool,
    /// What is there instead, in a phrase.
    pub instead: Option<String>,
}

#[derive(Debug, Default)]
struct Shelf {
    all: Vec<Record>,
    by_id: HashMap<String, usize>,
    by_word: HashMap<String, BTreeSet<usize>>,
}

/// All things by place.
#[derive(Debug, Default)]
pub(super) struct Records(HashMap<Place, Shelf>);

impl Records {
    /// Takes in an effect; returns what is known of its thing.
    pub(super) fn add(&mut self, at: Duration, effect: &Effect) -> Option<&Record> {
        self.0.entry(effect.place.clone()).or_default().add(at, effect)
    }

    /// What is known of the things that are sought, made at `since` or later, in time by `until`.
    pub(super) fn tally(&self, sought: &Sought, since: Duration, until: Duration) -> Tally {
        let mut tally = Tally::default();
        let Some(shelf) = self.0.get(&sought.place) else { return tally };
        for record in shelf.candidates(sought).filter(|record| record.is_about(sought)) {
            record.count(sought, since.saturating_sub(CLOCKS), until, &mut tally);
        }
        tally
    }
}

impl Shelf {
    fn add(&mut self, at: Duration, effect: &Effect) -> Option<&Record> {
        let number = *self.by_id.entry(effect.id.clone()).or_insert_with(|| {
            self.all.push(Record::default());
            self.all.len() - 1
        });
        for word in words::of_effect(effect) {
            self.by_word.entry(word).or_default().insert(number);
        }
        let record = self.all.get_mut(number)?;
        record.add(at, effect);
        Some(record)
    }

    /// Things among which those are that are sought.
    fn candidates(&self, sought: &Sought) -> Box<dyn Iterator<Item = &Record> + '_> {
        let word = sought.key.first().map(|(_, value)| value.to_lowercase()).or_else(|| words::longest(sought.about.as_deref()?));
        match word {
            Some(word) => Box::new(self.by_word.get(&word).into_iter().flatten().filter_map(|number| self.all.get(*number))),
            None => Box::new(self.all.iter()),
        }
    }
}

impl Record {
    fn add(&mut self, at: Duration, effect: &Effect) {
        match effect.change {
            Change::Made | Change::Changed => {
                if effect.change == Change::Made {
                    self.made.push(at);
                }
                self.there = true;
                self.versions.push((at, effect.fields.clone()));
                if !effect.text.is_empty() {
                    self.text.clone_from(&effect.text);
                }
            }
            Change::Gone => self.there = false,
            // The template wants it to expire.
            Change::Expired => {}
        }
    }

    /// What it is like now.
    pub(super) fn fields(&self) -> Option<&Map<String, Value>> {
        self.versions.last().map(|(_, fields)| fields)
    }

    /// Whether it is one of those that are sought, whatever its other fields are.
    pub(super) fn is_about(&self, sought: &Sought) -> bool {
        let Some(fields) = self.fields() else { return false };
        let has = |(name, value): &(String, String)| fields.get(name).is_some_and(|found| words::names(&sought.place, found, value));
        sought.key.iter().all(has) && sought.about.as_ref().is_none_or(|about| words::occurs(&self.text, about))
    }

    /// Whether its fields are as they should be now.
    pub(super) fn is_as(&self, sought: &Sought) -> bool {
        self.fields().is_some_and(|fields| words::differs(fields, &sought.equals).is_none())
    }

    fn count(&self, sought: &Sought, since: Duration, until: Duration, tally: &mut Tally) {
        let is_right = |fields: &Map<String, Value>| words::differs(fields, &sought.equals).is_none();
        let right = |until: Duration| self.versions.iter().any(|(at, fields)| *at <= until && is_right(fields));
        if right(Duration::MAX) {
            let made = self.made.iter().filter(|at| **at >= since);
            for at in made {
                tally.made += 1;
                tally.in_time += u32::from(*at <= until && right(until));
                tally.last = tally.last.max(*at);
            }
        }
        tally.was_there |= right(until);
        tally.there |= self.there && self.is_as(sought);
        if !self.there {
            tally.instead.get_or_insert_with(|| "it is gone".to_owned());
        } else if let Some(what) = self.fields().and_then(|fields| words::differs(fields, &sought.equals)) {
            tally.instead.get_or_insert(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims::Times;
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn row(change: Change, id: &str, state: &str) -> Effect {
        let fields = json!({"id": id, "state": state}).as_object().unwrap().clone();
        Effect { fields, ..Effect::new(Place::Table("orders".into()), id, change) }
    }

    fn sought(id: &str, equals: &[(&str, &str)]) -> Sought {
        let equals = equals.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let key = vec![("id".to_owned(), id.to_owned())];
        Sought { place: Place::Table("orders".into()), key, about: None, equals, times: Times::There }
    }

    #[test]
    fn stores_are_counted_since_the_request_and_updates_are_not() {
        let mut records = Records::default();
        records.add(s(1), &row(Change::Made, "o-1", "NEW"));
        records.add(s(2), &row(Change::Changed, "o-1", "SHIPPED"));
        records.add(s(3), &row(Change::Made, "o-2", "NEW"));
        records.add(s(9), &row(Change::Made, "o-1", "SHIPPED"));
        let count = |id: &str, since: u64, until: u64| {
            let tally = records.tally(&sought(id, &[]), s(since), s(until));
            (tally.made, tally.in_time, tally.there)
        };
        assert_eq!(
            [count("o-1", 0, 5), count("o-1", 2, 20), count("o-2", 0, 2), count("o-3", 0, 9)],
            [(2, 1, true), (1, 1, true), (1, 0, true), (0, 0, false)]
        );
    }

    #[test]
    fn a_row_is_as_it_should_be_now_or_it_says_what_it_is_instead() {
        let mut records = Records::default();
        records.add(s(1), &row(Change::Made, "o-1", "NEW"));
        let shipped = sought("o-1", &[("state", "SHIPPED")]);
        let early = records.tally(&shipped, s(0), s(5));
        assert_eq!((early.made, early.there, early.instead.as_deref()), (0, false, Some("`state` is `NEW`, not `SHIPPED`")));
        records.add(s(2), &row(Change::Changed, "o-1", "SHIPPED"));
        let later = records.tally(&shipped, s(0), s(5));
        assert_eq!((later.made, later.there, later.was_there), (1, true, true));
        records.add(s(3), &row(Change::Gone, "o-1", ""));
        let gone = records.tally(&shipped, s(0), s(5));
        assert_eq!((gone.there, gone.was_there, gone.instead.as_deref()), (false, true, Some("it is gone")));
    }

    #[test]
    fn a_message_is_found_by_what_it_says() {
        let mut records = Records::default();
        for (number, text) in [r#"{"id":"o-1","n":2}"#, r#"{"id":"o-12"}"#, "order o-1 is late"].into_iter().enumerate() {
            let effect = Effect { text: text.into(), ..Effect::new(Place::Queue("q".into()), format!("m-{number}"), Change::Made) };
            records.add(s(1), &effect);
        }
        for (about, made) in [("o-1", 2), ("o-12", 1), ("o", 0), ("order o-1", 1), ("2", 1)] {
            let sought = Sought { place: Place::Queue("q".into()), key: Vec::new(), about: Some(about.into()), ..sought("", &[]) };
            assert_eq!(records.tally(&sought, s(0), s(9)).made, made, "{about}");
        }
    }
}
