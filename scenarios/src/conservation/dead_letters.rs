//! no message goes to a dead-letter queue unless a fault was in force while it was worked on.

use std::time::Duration;

use run_folder::effects::{AGE_MS, Change, Effect, MOVED_FROM, Place};
use serde_json::Value;

use super::blame::{Accused, Exchanges};
use super::standing::accused;

/// How long work may take of which it is not known when it began.
const LONGEST_WORK: Duration = Duration::from_secs(60);

/// The dead-letter queues, and when faults are in force.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    queues: Vec<Place>,
    faults_from: Option<Duration>,
    calmed: Option<Duration>,
}

impl DeadLetters {
    pub(super) fn new(queues: Vec<Place>, faults_from: Option<Duration>) -> Self {
        Self { queues, faults_from, calmed: None }
    }

    pub(super) fn calmed(&mut self, at: Duration) {
        self.calmed = self.calmed.or(Some(at));
    }

    /// The breach, if a message came that no fault explains.
    pub(super) fn see(&self, at: Duration, effect: &Effect, exchanges: &Exchanges) -> Option<Accused> {
        if effect.change != Change::Made || !self.queues.contains(&effect.place) {
            return None;
        }
        let age = effect.fields.get(AGE_MS).and_then(Value::as_u64).map(Duration::from_millis);
        let sent = exchanges.find(effect.root.as_deref()).map(|shown| shown.sent);
        let began = age.map(|age| at.saturating_sub(age)).into_iter().chain(sent).min().unwrap_or(at.saturating_sub(LONGEST_WORK));
        let from = effect.fields.get(MOVED_FROM).and_then(Value::as_str);
        let what = from.map_or_else(|| "came".to_owned(), |from| format!("came from `{from}`"));
        let Place::Queue(name) = &effect.place else { return None };
        self.is_calm(began, at).then(|| accused(at, effect, &what, name))
    }

    /// Whether no fault was in force between two moments.
    fn is_calm(&self, from: Duration, to: Duration) -> bool {
        let is_before = self.faults_from.is_none_or(|begin| to < begin);
        is_before || self.calmed.is_some_and(|calmed| from > calmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_a_message_that_no_fault_can_explain_is_a_breach() {
        // When it came, how old it was in seconds, whether it is a breach with a fault from 20 s to 40 s.
        for (came, age, is_breach) in [
            (10, Some(5), true),
            (19, None, true),
            (25, Some(1), false),
            (25, Some(20), false),
            (50, Some(20), false),
            (50, Some(5), true),
            (50, None, false),
            (101, None, true),
        ] {
            let mut letters = DeadLetters::new(vec![Place::Queue("dead".into())], Some(s(20)));
            if came > 40 {
                letters.calmed(s(40));
            }
            let mut effect = Effect::new(Place::Queue("dead".into()), "m-1", Change::Made);
            if let Some(age) = age {
                effect.fields.insert(AGE_MS.into(), (age * 1000).into());
                effect.fields.insert(MOVED_FROM.into(), "work".into());
            }
            let found = letters.see(s(came), &effect, &Exchanges::default());
            assert_eq!(found.is_some(), is_breach, "{came} {age:?}");
            assert!(age.is_none() || found.is_none_or(|found| found.what == "a message came from `work` in `dead`"), "{came}");
            let without_faults = DeadLetters::new(vec![Place::Queue("dead".into())], None);
            assert!(without_faults.see(s(came), &effect, &Exchanges::default()).is_some());
            let elsewhere = Effect { place: Place::Queue("work".into()), ..effect };
            assert_eq!(without_faults.see(s(came), &elsewhere, &Exchanges::default()), None);
        }
    }
}
