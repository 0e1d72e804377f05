//! What an experiment is made on: Lambda and its neighbours on this machine, or a deployed stack.

pub mod account;
pub mod addresses;
pub mod artifacts;
pub mod blueprint;
pub mod compressed;
pub mod guard;
pub mod health;
pub mod invoke;
pub mod line_sink;
pub mod plan_watch;
pub mod platform;
pub mod run_folder;
pub mod services;
pub mod sightings;
mod systems;
pub mod target;
pub mod targets;
pub mod up;
pub mod world;

pub use addresses::Addresses;
pub use compressed::Compressed;
pub use health::Health;
pub use run_folder::{FolderError, RunFolder};
pub use sightings::{Seen, Sighting, Sightings};
pub use target::{Left, Target, TargetError};
