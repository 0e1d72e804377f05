//! The systems under test, one folder each. A new one is a folder, its `mod` line and its row in [`for_each_system`](crate::for_each_system).

pub mod audit;
mod by_hand;
pub mod clinic;
pub mod inactive_users;
pub mod load;
pub mod mail;
pub mod thermostat;
pub mod under_test;
pub mod users_api;

#[cfg(test)]
mod example;
#[cfg(test)]
#[path = "../../../examples/own-system/greeting/mod.rs"]
mod own_system;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use run_folder::Deployment;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

pub use self::load::{Setup, SystemLoad};
pub use under_test::{How, UnderTest, Weakness};

/// The list of systems, handed to a macro: the folder, the system, its load, and what it is in a few words.
#[macro_export]
macro_rules! for_each_system {
    ($rows:ident) => {
        $rows! {
            thermostat: Thermostat, ThermostatLoad, "Smart thermostats.";
            clinic: Clinic, ClinicLoad, "The clinic's authorizer and appointments.";
            mail: Mail, MailLoad, "Mail in, links out.";
            inactive_users: InactiveUsers, UsersLoad, "Sign-ins recorded, inactive users disabled.";
            users_api: UsersApi, UsersApiLoad, "One users API, as a function per verb, as one function, and as a read and a write function.";
            audit: Audit, AuditLoad, "Audit records taken in, archived, described and closed.";
        }
    };
}

macro_rules! systems {
    ($($folder:ident: $System:ident, $Load:ident, $about:tt;)*) => {
        /// A part of the stack under test.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum System {
            $(#[doc = $about] $System,)*
        }

        impl System {
            /// All that there are.
            pub const ALL: [Self; [$(stringify!($folder)),*].len()] = [$(Self::$System),*];

            /// What it is, in a few words.
            pub fn about(self) -> &'static str {
                let about = match self { $(Self::$System => $about,)* };
                about.trim_end_matches('.')
            }

            /// Its load, read from its table.
            ///
            /// # Errors
            /// If the table is not a load of this system; the message is that of its format.
            pub fn read_load<'de, D: Deserializer<'de>>(self, table: D) -> Result<Arc<dyn SystemLoad>, D::Error> {
                match self { $(Self::$System => Ok(Arc::new($folder::$Load::deserialize(table)?)),)* }
            }
        }

        impl Deref for System {
            type Target = dyn UnderTest;

            fn deref(&self) -> &Self::Target {
                match self { $(Self::$System => &$folder::$System,)* }
            }
        }
    };
}

for_each_system!(systems);

impl System {
    /// The one of this name.
    pub fn called(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|system| system.name() == name)
    }
}

/// The system that has a weakness of this name, and how that is switched on.
pub fn weakness(name: &str) -> Option<(System, How)> {
    System::ALL.into_iter().find_map(|system| Some((system, system.weaknesses().iter().find(|known| known.name == name)?.how)))
}

/// What a stack deploys for these loads.
pub fn deployment<'a>(loads: impl IntoIterator<Item = &'a dyn SystemLoad>, setup: &Setup) -> Deployment {
    let mut all = Deployment { compressed: setup.compressed, ..Deployment::default() };
    for load in loads {
        let mut deployment = load.deployment(setup);
        switch_on(&mut deployment, load.system().weaknesses(), &setup.weaknesses);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(system: System) -> Arc<dyn SystemLoad> {
        system.read_load(json!({"rate": "1/s"})).unwrap()
    }

    fn deployed(system: System, weaknesses: &[&str]) -> Deployment {
        let weaknesses = weaknesses.iter().map(|name| (*name).to_owned()).collect();
        deployment([&*load(system)], &Setup { weaknesses, ..Setup::default() })
    }

    #[test]
    fn every_name_and_every_number_is_there_once() {
        let names = System::ALL.into_iter().map(|system| system.name());
        let weaknesses = System::ALL.into_iter().flat_map(|system| system.weaknesses()).map(|weakness| weakness.name);
        let functions = System::ALL.into_iter().flat_map(|system| system.functions()).map(|(name, _)| *name);
        for mut all in [names.collect::<Vec<_>>(), weaknesses.collect(), functions.collect()] {
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count, "{all:?}");
        }
        let mut numbers: Vec<u64> = System::ALL.into_iter().flat_map(|system| system.numbers()).collect();
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|one, next| one < next) && numbers.iter().all(|number| *number < 100), "{numbers:?}");
        assert!(weakness("no-retry").is_some_and(|(system, _)| system.name() == "mail") && weakness("none").is_none());
    }

    #[test]
    fn a_system_is_read_and_named_by_one_name_and_its_load_needs_a_rate_alone() {
        for system in System::ALL {
            assert_eq!(serde_json::from_value::<System>(json!(system.name())).unwrap(), system);
            assert_eq!(System::called(system.name()), Some(system));
            assert!(!system.about().is_empty() && !system.about().ends_with('.'));
            let load = load(system);
            assert_eq!((load.system().name(), load.check()), (system.name(), Vec::new()));
            assert!(load.arrivals() >= load.rate());
            assert!(system.read_load(json!({})).is_err() && system.read_load(json!({"rate": "1/s", "other": 1})).is_err());
        }
    }

    #[test]
    fn a_weakness_changes_its_own_system_and_no_other() {
        for system in System::ALL {
            for weakness in system.weaknesses() {
                let changed: Vec<_> =
                    System::ALL.into_iter().filter(|other| deployed(*other, &[weakness.name]) != deployed(*other, &[])).collect();
                let expected = usize::from(weakness.how != How::Device);
                assert_eq!(changed.len(), expected, "{}", weakness.name);
                assert!(changed.iter().all(|other| *other == system), "{}", weakness.name);
            }
        }
    }
}
