//! The systems under test, one folder each: what is deployed, what is there before the first request, and which weaknesses can be switched on.

pub mod audit;
pub mod clinic;
pub mod inactive_users;
pub mod mail;
pub mod thermostat;
pub mod users_api;

use std::collections::BTreeMap;
use std::time::Duration;

use faults::Trigger;
use run_folder::Deployment;
use run_folder::deployment::{Parameter, Template};

use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, WorldUnderTest};

/// All of them.
pub const ALL: [&dyn System; 6] =
    [&thermostat::Thermostat, &clinic::Clinic, &mail::Mail, &inactive_users::InactiveUsers, &users_api::UsersApi, &audit::Audit];

/// A system under test.
pub trait System: Sync {
    /// Its name in experiments and on the command line.
    fn name(&self) -> &'static str;
    /// What it is, in a few words.
    fn about(&self) -> &'static str;
    /// Its SAM template.
    fn template(&self) -> &'static str;
    /// Its functions by name, and what invokes each.
    fn functions(&self) -> &'static [(&'static str, Trigger)];
    /// The programs that its functions are.
    fn programs(&self) -> Vec<&'static str> {
        self.functions().iter().map(|(name, _)| *name).collect()
    }
    /// The endpoints that its load is recorded under, with the requests that an arrival makes to each on average. What has no rate of its own counts
    /// once an arrival.
    fn endpoints(&self) -> Vec<(&'static str, f64)>;
    /// The weaknesses of its published form.
    fn weaknesses(&self) -> &'static [Weakness];
    /// What must always hold of it, where it is up.
    ///
    /// # Errors
    /// Where its policies cannot be read: without them nothing can be called right.
    fn rules(&self, world: &WorldUnderTest) -> Result<Vec<Box<dyn Invariant>>, OracleError>;
    /// What a stack deploys for it, the weaknesses apart.
    fn deployment(&self, wanted: &Wanted) -> Deployment;
}

/// How large the systems are, and in which form.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Homes of the thermostats.
    pub homes: u32,
    /// Members of the inactive users' pool.
    pub members: u32,
    /// Sign-ins that come at once: so many environments are started for them beforehand. Lambda starts a hundred at once, this machine two.
    pub sign_ins_at_once: u32,
    /// How long the gateway keeps an authorizer's answer.
    pub authorizer_cache: Duration,
    /// Names of weaknesses; those of other systems change nothing.
    pub weaknesses: Vec<String>,
}

/// A weakness of a system's published form.
#[derive(Debug, Clone, Copy)]
pub struct Weakness {
    /// Its name, unique among all systems.
    pub name: &'static str,
    /// How it is switched on.
    pub how: How,
}

/// How a weakness is switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Its name is in this parameter of the template, which functions get as `WEAKNESSES`.
    Named(&'static str),
    /// This parameter of the template has this value.
    Set(&'static str, &'static str),
    /// This state machine neither retries nor catches these errors.
    Unhandled(&'static str, &'static [&'static str]),
    /// The thermostats' devices have it, which are the harness's own.
    Device,
}

/// The system that has a weakness of this name, and how that is switched on.
pub fn weakness(name: &str) -> Option<(&'static dyn System, How)> {
    ALL.into_iter().find_map(|system| Some((system, system.weaknesses().iter().find(|known| known.name == name)?.how)))
}

/// What a stack deploys for these systems.
pub fn deployment<'a>(systems: impl IntoIterator<Item = &'a dyn System>, wanted: &Wanted) -> Deployment {
    let mut all = Deployment::default();
    for system in systems {
        let mut deployment = system.deployment(wanted);
        switch_on(&mut deployment, system.weaknesses(), &wanted.weaknesses);
        all.extend(deployment);
    }
    all
}

fn switch_on(deployment: &mut Deployment, known: &[Weakness], on: &[String]) {
    let Deployment { templates, unhandled, .. } = deployment;
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut set = |parameter: &str, value: &str| {
        templates.iter_mut().for_each(|template| drop(template.parameters.insert(parameter.to_owned(), value.into())));
    };
    for weakness in known {
        let is_on = on.iter().any(|name| name == weakness.name);
        match weakness.how {
            How::Named(parameter) => named.entry(parameter).or_default().extend(is_on.then_some(weakness.name)),
            How::Set(parameter, value) if is_on => set(parameter, value),
            How::Unhandled(machine, errors) if is_on => {
                unhandled.entry(machine.to_owned()).or_default().extend(errors.iter().map(|error| (*error).to_owned()));
            }
            How::Set(..) | How::Unhandled(..) | How::Device => {}
        }
    }
    named.into_iter().for_each(|(parameter, names)| set(parameter, &names.join(",")));
}

/// A system's only template with these parameters.
fn template<const N: usize>(text: &str, parameters: [(&str, Parameter); N]) -> Vec<Template> {
    vec![Template { text: text.to_owned(), parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(weaknesses: &[&str]) -> Wanted {
        let weaknesses = weaknesses.iter().map(|name| (*name).to_owned()).collect();
        Wanted { homes: 1, members: 1, sign_ins_at_once: 0, authorizer_cache: Duration::from_secs(300), weaknesses }
    }

    #[test]
    fn every_name_is_there_once() {
        let names = ALL.iter().map(|system| system.name());
        let weaknesses = ALL.iter().flat_map(|system| system.weaknesses()).map(|weakness| weakness.name);
        let functions = ALL.iter().flat_map(|system| system.functions()).map(|(name, _)| *name);
        for mut all in [names.collect::<Vec<_>>(), weaknesses.collect(), functions.collect()] {
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{all:?}");
        }
        assert!(weakness("no-retry").is_some_and(|(system, _)| system.name() == "mail") && weakness("none").is_none());
    }

    #[test]
    fn a_weakness_changes_its_own_system_and_no_other() {
        for system in ALL {
            for weakness in system.weaknesses() {
                let changed: Vec<_> = ALL
                    .iter()
                    .filter(|other| deployment([**other], &wanted(&[weakness.name])) != deployment([**other], &wanted(&[])))
                    .collect();
                let expected = usize::from(weakness.how != How::Device);
                assert_eq!(changed.len(), expected, "{}", weakness.name);
                assert!(changed.iter().all(|other| other.name() == system.name()), "{}", weakness.name);
            }
        }
    }
}
