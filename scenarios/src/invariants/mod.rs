//! What must always hold, one file per rule. The rules are pure: they receive what happened and
//! report what was wrong.

pub mod cedar;
pub mod everywhere;
mod judge;
mod r1_right_statuses;
mod r2_expected_bodies;
mod r3_no_internals;
mod r5_no_secrets_in_logs;
pub(crate) mod r6_no_start_loops;
mod sweeps;
pub(crate) mod wording;

#[cfg(test)]
mod cross;
#[cfg(test)]
mod dead_stack;
#[cfg(test)]
pub(crate) mod fixtures;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Event;

pub use judge::{ArmOf, Ended};
pub(crate) use judge::{Book, Judge, Kind, Moment, Rule, table};
pub(crate) use sweeps::Sweeps;

/// Why an exchange, or its absence, broke a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breach {
    /// When: if an exchange is at fault, the time it was due, so that the timeline shows its phase.
    pub at: Duration,
    /// The trace root, if a single exchange is at fault.
    pub root: Option<String>,
    /// What was requested.
    pub asked: String,
    /// What was answered, or found.
    pub answered: String,
    /// What was expected, and why.
    pub expected: String,
    /// A command that repeats it. `$GATEWAY`, `$SMTP` and `$SERVICES` are placeholders for
    /// addresses, `$TOKEN` for a token, `$POOL` for a pool.
    pub repeat: String,
}

/// What a rule found: the breaches, and how many checks it made.
pub type Found = (Vec<Breach>, u64);

/// Rules that must always hold, and the one book of events that they share.
pub trait Invariant: Send {
    /// The id of each rule, for example `A-1`, and the rule in a sentence.
    fn rules(&self) -> Vec<(&'static str, &'static str)>;
    /// Goes on without what only services on this machine tell: what became of accepted work is not known then. Returns the ids of the rules that
    /// cannot be checked, which are no longer among `rules`.
    fn by_answers_alone(&mut self) -> Vec<&'static str>;
    /// Records one event. Returns what each rule found, in the order of `rules`, and what ended
    /// with it; only the first end of a thing counts.
    fn see(&mut self, event: &Event) -> (Vec<Found>, Option<Ended>);
    /// Checks everything that is left once all has settled.
    fn settled(&mut self, quiet: &Quiet) -> Vec<Found>;
    /// How many things have not ended and may still do so.
    fn under_way(&self) -> usize;
    /// What has not ended. Call it once the run has ended and all sightings are in.
    fn unfinished(&self) -> Vec<Ended>;
    /// The outcomes of everything, by arm. Call it once the run has ended and all sightings are in.
    fn tables(&self, arm: ArmOf<'_>) -> Vec<reports::Dispositions>;
}

/// Goes on without the rules that need services of this machine, and names them.
pub fn by_answers_alone(rules: &mut [Box<dyn Invariant>]) -> Vec<&'static str> {
    rules.iter_mut().flat_map(|rules| rules.by_answers_alone()).collect()
}

/// No breach, no check.
pub(crate) const NOTHING: Found = (Vec::new(), 0);

/// One check, and the breach if it found one.
pub(crate) fn checked(breach: Option<Breach>) -> Found {
    (breach.into_iter().collect(), 1)
}

/// The state of the world once everything has settled, and when the faults were calmed.
#[derive(Debug, Clone, Default)]
pub struct Quiet {
    /// When the state was read.
    pub at: Duration,
    /// When the faults were calmed, if any were struck.
    pub calmed: Option<Duration>,
    /// Every thing's shadow: desired, reported, version.
    pub shadows: Vec<(String, crate::exchange::ThermostatState, crate::exchange::ThermostatState, i64)>,
    /// Every user of the members' pool and whether the user is enabled; `None` if the pool was not
    /// read.
    pub users: Option<Vec<(String, bool)>>,
    /// Every row of the table of latest sign-ins: its key and its time to live; `None` if the table
    /// was not read.
    pub rows: Option<Vec<(String, Option<i64>)>>,
    /// What was found in the logs of an own stack's functions.
    pub leaks: crate::leaks::Leaks,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::traffic::order::Load;

    #[test]
    fn every_rule_file_of_a_system_is_in_its_list_and_all_share_one_book() {
        for load in fixtures::load().systems {
            let system = load.system();
            let folder = format!("src/systems/{}/rules", system.name().replace('-', "_"));
            let mut files: Vec<_> = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .filter(|name| name.as_bytes().get(1).is_some_and(u8::is_ascii_digit))
                .map(|name| format!("{}-{}", name[..1].to_uppercase(), &name[1..2]))
                .collect();
            files.sort();
            let rules = load.rules(&fixtures::setup()).unwrap();
            assert_eq!(files, fixtures::ids(&rules), "{}", system.name());
            assert_eq!(rules.len(), 1, "{}: one book for all of them", system.name());
        }
    }

    #[test]
    fn a_system_that_is_not_running_has_no_rules() {
        let ids =
            |load: &Load| -> Vec<_> { fixtures::ids(&load.rules(&fixtures::setup()).unwrap()).into_iter().map(str::to_owned).collect() };
        let Load { systems, journeys, .. } = fixtures::load();
        let alone = systems.into_iter().map(|system| Load { systems: vec![system], ..Load::default() });
        let found: Vec<_> = alone.chain([Load { journeys, ..Load::default() }]).map(|load| ids(&load)).collect();
        let mut letters = BTreeSet::new();
        for ids in found {
            assert!(ids.iter().all(|id| id[..1] == ids[0][..1]) && letters.insert(ids[0][..1].to_owned()), "{ids:?}");
        }
        assert_eq!(ids(&Load::default()), Vec::<String>::new());
    }

    #[test]
    fn unreadable_policies_are_an_error_and_grant_nothing() {
        let mut store = crate::systems::thermostat::policies(2);
        store.policies.push(("broken".into(), "permit(".into()));
        assert!(cedar::ThermostatOracle::new(2, &store).is_err());
    }
}
