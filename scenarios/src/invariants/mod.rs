//! What must always hold, one file a rule. Pure: they are told what happened and say what was wrong with it.

pub mod cedar;
mod judge;
mod r1_right_statuses;
pub(crate) mod wording;

#[cfg(test)]
mod cross;
#[cfg(test)]
mod dead_stack;
#[cfg(test)]
pub(crate) mod fixtures;

use std::time::Duration;

use crate::systems;

use crate::Event;
use cedar::OracleError;

pub use judge::{ArmOf, Ended};
pub(crate) use judge::{Book, Judge, Kind, Moment, Rule, table};

/// Why an exchange, or its absence, broke a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// When: where an exchange is to blame, when that was due, so that the timeline tells its phase.
    pub at: Duration,
    /// The trace root, where a single exchange is to blame.
    pub root: Option<String>,
    /// What was asked.
    pub asked: String,
    /// What came back, or was found.
    pub answered: String,
    /// What should have been, and why.
    pub expected: String,
    /// A command that repeats it; `$GATEWAY`, `$SMTP` and `$SERVICES` stand for addresses, `$TOKEN` for a token, `$POOL` for a pool.
    pub repeat: String,
}

/// What a rule found: the breaches, and how many checks it made.
pub type Found = (Vec<Breach>, u64);

/// Rules that must always hold, and the one book of what happened that they are about.
pub trait Invariant: Send {
    /// The id of each rule, such as `A-1`, and the rule in a sentence.
    fn rules(&self) -> Vec<(&'static str, &'static str)>;
    /// Looks at one event: what each rule found, in the order of `rules`, and what came to its first end.
    fn see(&mut self, event: &Event) -> (Vec<Found>, Option<Ended>);
    /// Looks back once everything has settled.
    fn settled(&mut self, quiet: &Quiet) -> Vec<Found>;
    /// How many things have not come to an end and may still do so.
    fn under_way(&self) -> usize;
    /// What has not come to its end. To be asked once the run has ended and all sightings are in.
    fn unfinished(&self) -> Vec<Ended>;
    /// What became of everything, by arm. To be asked once the run has ended and all sightings are in.
    fn tables(&self, arm: ArmOf<'_>) -> Vec<reports::Dispositions>;
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
    /// When it was looked at.
    pub at: Duration,
    /// When the faults were calmed, where they were struck.
    pub calmed: Option<Duration>,
    /// Every thing's shadow: desired, reported, version.
    pub shadows: Vec<(String, crate::exchange::ThermostatState, crate::exchange::ThermostatState, i64)>,
    /// Every user of the members' pool and whether the user is enabled; `None` where nobody asked.
    pub users: Option<Vec<(String, bool)>>,
    /// Every row of the table of latest sign-ins: its key and its time to live; `None` where nobody asked.
    pub rows: Option<Vec<(String, Option<i64>)>>,
}

/// The systems that are up, as far as what is right depends on them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorldUnderTest {
    /// How many homes there are, where the thermostats are up.
    pub homes: Option<u32>,
    /// Whether the clinic is up.
    pub clinic: bool,
    /// How long the gateway keeps what the authorizer said.
    pub authorizer_cache: Duration,
    /// Whether mail is up.
    pub mail: bool,
    /// How long a member's row lives here, where the inactive users are up.
    pub row_life: Option<Duration>,
    /// Whether the users API is up.
    pub users_api: bool,
    /// Whether the audit is up.
    pub audit: bool,
    /// Whether endpoints are asked that somebody else runs.
    pub requests: bool,
    /// How many times faster queues and expiry go.
    pub compressed: run_folder::Compressed,
}

/// Every rule about the systems that are up, in the order of their ids.
///
/// # Errors
/// Where the policies cannot be read: without them nothing can be called right.
pub fn all(world: &WorldUnderTest) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
    let mut rules = Vec::new();
    for system in systems::ALL {
        rules.extend(system.rules(world)?);
    }
    if world.requests {
        rules.push(Box::new(Judge::new((), vec![r1_right_statuses::right_statuses()])));
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_a_system_s_folder_is_in_its_list_and_all_share_one_book() {
        let world = fixtures::world();
        for system in systems::ALL {
            let folder = format!("src/systems/{}/rules", system.name().replace('-', "_"));
            let mut files: Vec<_> = std::fs::read_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .filter(|name| name.as_bytes().get(1).is_some_and(u8::is_ascii_digit))
                .map(|name| format!("{}-{}", name[..1].to_uppercase(), &name[1..2]))
                .collect();
            files.sort();
            let rules = system.rules(&world).unwrap();
            assert_eq!(files, fixtures::ids(&rules), "{}", system.name());
            assert_eq!(rules.len(), 1, "{}: one book for all of them", system.name());
        }
    }

    #[test]
    fn a_system_that_is_not_up_has_no_rules() {
        let up = |letter: char, world: WorldUnderTest| {
            let ids = fixtures::ids(&all(&world).unwrap());
            let (of_it, others): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| id.starts_with(letter));
            (of_it.len(), others.len())
        };
        let world = fixtures::world();
        assert_eq!(up('A', WorldUnderTest { homes: world.homes, ..WorldUnderTest::default() }), (7, 0));
        assert_eq!(up('B', WorldUnderTest { clinic: true, ..WorldUnderTest::default() }), (6, 0));
        assert_eq!(up('C', WorldUnderTest { mail: true, ..WorldUnderTest::default() }), (9, 0));
        assert_eq!(up('D', WorldUnderTest { row_life: world.row_life, ..WorldUnderTest::default() }), (8, 0));
        assert_eq!(up('E', WorldUnderTest { audit: true, ..WorldUnderTest::default() }), (7, 0));
        assert_eq!(up('F', WorldUnderTest { users_api: true, ..WorldUnderTest::default() }), (3, 0));
        assert_eq!(up('R', WorldUnderTest { requests: true, ..WorldUnderTest::default() }), (1, 0));
        assert_eq!(all(&WorldUnderTest::default()).unwrap().len(), 0);
    }

    #[test]
    fn policies_that_cannot_be_read_are_an_error_and_not_an_open_door() {
        let mut store = systems::thermostat::policies(2);
        store.policies.push(("broken".into(), "permit(".into()));
        assert!(cedar::ThermostatOracle::new(2, &store).is_err());
    }
}
