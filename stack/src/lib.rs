//! What an experiment is made on: Lambda and its neighbours on this machine, or a deployed stack. It knows nothing of what is under test but the
//! templates and the seed that it is given.

pub mod account;
pub mod artifacts;
pub mod blueprint;
pub mod guard;
pub mod invoke;
pub mod line_sink;
pub mod plan_watch;
pub mod platform;
pub mod services;
pub mod up;

pub(crate) use run_folder::{Addresses, Compressed, Health, RunFolder, Seen, Sighting, Sightings};
