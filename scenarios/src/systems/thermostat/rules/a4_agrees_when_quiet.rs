//! when all is quiet, reported equals desired, desired is one last Set as a whole, and
//! versions have only risen. A-3 judges a device whose Set was lost, A-7 one whose loop ended.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::Event;
use crate::exchange::{ShadowChange, ThermostatState};

use super::register::{Register, about_device, words};
use crate::invariants::{Breach, Moment, NOTHING, Rule};

/// How many versions of a thing are remembered: messages overtake each other by less.
const VERSIONS: usize = 64;

type Content = (Option<ThermostatState>, Option<ThermostatState>);

pub(crate) fn agrees_when_quiet() -> Rule<Register> {
    let text = "when all is quiet, reported is desired and desired is the last Set as a whole; the version only rises";
    let mut things = Things::default();
    Rule::<Register>::new("A-4", text, move |register, _, moment| match moment {
        Moment::Event(Event::Shadow(change)) => (things.version(change).into_iter().collect(), 0),
        Moment::Event(Event::DeviceEnded { thing, .. }) => {
            things.ended.insert(thing.clone());
            NOTHING
        }
        Moment::Event(_) => NOTHING,
        Moment::Quiet(quiet) => {
            let mut found = NOTHING;
            for (thing, desired, reported, version) in &quiet.shadows {
                let breach = things.device(register, thing, quiet.at, (desired, reported, *version));
                // A device that nothing has changed shows nothing, so it is no check.
                found.1 += u64::from(breach.is_some() || things.versions.contains_key(thing));
                found.0.extend(breach);
            }
            found
        }
    })
}

#[derive(Default)]
struct Things {
    versions: HashMap<String, VecDeque<(i64, Content)>>,
    ended: HashSet<String>,
}

impl Things {
    /// A version that was used twice, or that is far behind.
    fn version(&mut self, change: &ShadowChange) -> Option<Breach> {
        let known = self.versions.entry(change.thing.clone()).or_default();
        let content = (change.desired.clone(), change.reported.clone());
        let twice = known.iter().find(|(version, _)| *version == change.version).map(|(_, known)| *known != content);
        let answered = match twice {
            // One message delivered twice.
            Some(false) => return None,
            Some(true) => format!("version {} for two different changes", change.version),
            None if known.len() >= VERSIONS && known.iter().all(|(version, _)| *version > change.version) => {
                format!("version {} after higher ones", change.version)
            }
            None => {
                known.push_back((change.version, content));
                if known.len() > VERSIONS {
                    known.pop_front();
                }
                return None;
            }
        };
        Some(Breach { answered, expected: "the version only rises".to_owned(), ..about_device(&change.thing, change.at) })
    }

    fn device(&self, register: &Register, thing: &str, at: Duration, shadow: (&ThermostatState, &ThermostatState, i64)) -> Option<Breach> {
        let (desired, reported, version) = shadow;
        let breach = |answered: String, expected: String| Some(Breach { answered, expected, ..about_device(thing, at) });
        let highest = self.versions.get(thing).and_then(|known| known.iter().map(|(version, _)| *version).max());
        if let Some(highest) = highest.filter(|highest| version < *highest) {
            return breach(format!("version {version} after version {highest}"), "the version only rises".to_owned());
        }
        let history = register.device(thing);
        if history.is_some_and(|history| history.lost) {
            return None;
        }
        let mut last = history.into_iter().flat_map(|history| history.acceptable()).filter(|set| set.has_temperature(desired)).peekable();
        if let Some(example) = last.peek().map(|set| set.words())
            && !last.any(|set| set.agrees(desired))
        {
            return breach(format!("desired {}", words(desired)), format!("one of the last Sets as a whole, such as {example}"));
        }
        let differs = |one: bool| one && !self.ended.contains(thing);
        let power = matches!((desired.power, reported.power), (Some(a), Some(b)) if a != b);
        let mode = matches!((&desired.mode, &reported.mode), (Some(a), Some(b)) if a != b);
        let temperature = desired.temperature.is_some() && desired.temperature != reported.temperature;
        if differs(temperature || power || mode) {
            return breach(
                format!("desired {}, reported {}", words(desired), words(reported)),
                "reported is desired when quiet".to_owned(),
            );
        }
        None
    }
}
