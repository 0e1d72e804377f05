//! The target of an experiment: Lambda and the services that it uses on this machine, or a deployed
//! stack. It knows nothing of the system under test except the templates and the seed that it gets.

pub mod account;
pub mod artifacts;
pub mod deliver;
pub mod guard;
pub mod invoke;
pub mod line_sink;
pub mod pattern;
pub mod plan_watch;
pub mod platform;
mod random;
pub mod services;
pub mod up;

pub(crate) use run_folder::{Addresses, Compressed, Health, RunFolder, Seen, Sighting, Sightings};
