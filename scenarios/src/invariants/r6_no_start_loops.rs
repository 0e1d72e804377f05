//! no function fails to start again and again, unless a fault explains it. A function that no request
//! waits for may do so for days.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use run_folder::Seen;

use crate::Event;

use super::judge::Book;
use super::{Breach, Judge, Moment, Quiet, Rule};

/// The rule's id and text; only this machine can show it.
pub const START_LOOPS: (&str, &str) = ("R-6", "no function fails to start again and again unless a fault was in force");

/// So many failed starts of one function within this time are a loop.
const FAILED: usize = 3;
const WITHIN: Duration = Duration::from_secs(60);

/// A start that fails so long after the calm may still be a fault's doing: it began before.
const LONGEST_START: Duration = Duration::from_secs(15);

/// The failed starts of the last minute that no fault explains.
#[derive(Debug, Default)]
pub(crate) struct Starts {
    faults_from: Option<Duration>,
    calmed: Option<Duration>,
    failed: BTreeMap<String, VecDeque<Duration>>,
    looping: BTreeSet<String>,
}

impl Starts {
    fn is_calm(&self, at: Duration) -> bool {
        let is_before = self.faults_from.is_none_or(|begin| at < begin);
        is_before || self.calmed.is_some_and(|calmed| at > calmed + LONGEST_START)
    }

    fn failed(&mut self, function: &str, at: Duration) -> Option<Breach> {
        if !self.is_calm(at) || self.looping.contains(function) {
            return None;
        }
        let failed = self.failed.entry(function.to_owned()).or_default();
        failed.push_back(at);
        failed.retain(|earlier| at.saturating_sub(*earlier) < WITHIN);
        if failed.len() < FAILED {
            return None;
        }
        self.looping.insert(function.to_owned());
        Some(breach(function, at))
    }
}

fn breach(function: &str, at: Duration) -> Breach {
    Breach {
        at,
        root: None,
        asked: "no single request".to_owned(),
        answered: format!("`{function}` failed to start {FAILED} times within a minute"),
        expected: "a function that starts".to_owned(),
        repeat: format!("less logs/{function}.log"),
    }
}

impl Book for Starts {
    /// The function that is found to loop with this event.
    type Ripe = Option<Breach>;

    fn see(&mut self, event: &Event) -> Option<Breach> {
        match event {
            Event::Calmed { at } => self.calmed = self.calmed.or(Some(*at)),
            Event::Saw { at, seen: Seen::NotStarted { function } } => return self.failed(function, *at),
            _ => {}
        }
        None
    }

    fn settled(&mut self, _quiet: &Quiet) -> Option<Breach> {
        None
    }
}

/// The rule about so many functions; each is one check.
pub(crate) fn judge(functions: u64, faults_from: Option<Duration>) -> Judge<Starts> {
    let (id, text) = START_LOOPS;
    let rule = Rule::new(id, text, move |_: &Starts, found: &Option<Breach>, moment| match moment {
        Moment::Event(_) => (found.iter().cloned().collect(), 0),
        Moment::Quiet(_) => (Vec::new(), functions),
    });
    Judge::new(Starts { faults_from, ..Starts::default() }, vec![rule.of_services()])
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::super::fixtures::s;
    use super::*;

    #[test]
    fn three_failed_starts_in_a_minute_without_a_fault_are_one_breach() {
        let failed = |at: f64, function: &str| Event::Saw { at: s(at), seen: Seen::NotStarted { function: function.into() } };
        let calmed = Event::Calmed { at: s(200.0) };
        for (events, breaches) in [
            (vec![failed(1.0, "work"), failed(2.0, "work")], 0),
            (vec![failed(1.0, "work"), failed(2.0, "work"), failed(3.0, "work"), failed(4.0, "work")], 1),
            (vec![failed(1.0, "work"), failed(2.0, "other"), failed(3.0, "work")], 0),
            (vec![failed(1.0, "work"), failed(40.0, "work"), failed(70.0, "work")], 0),
            // With faults from 100 s to 200 s.
            (vec![failed(101.0, "work"), failed(102.0, "work"), failed(103.0, "work")], 0),
            (vec![calmed.clone(), failed(201.0, "work"), failed(214.0, "work"), failed(216.0, "work")], 0),
            (vec![calmed, failed(216.0, "work"), failed(217.0, "work"), failed(218.0, "work")], 1),
        ] {
            let mut judge = judge(4, Some(s(100.0)));
            let mut found: usize = events.iter().map(|event| judge.see(event).0[0].0.len()).sum();
            let (late, checks) = judge.settled(&Quiet::default()).remove(0);
            found += late.len();
            assert_eq!((found, checks), (breaches, 4), "{events:?}");
        }
        assert_eq!(judge(4, None).by_answers_alone(), ["R-6"]);
    }
}
