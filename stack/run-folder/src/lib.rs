//! What the processes of one run tell one another, by files in one folder: what to deploy, where it can be reached, what happened there.
//! It holds no socket and starts no process.

pub mod addresses;
pub mod compressed;
pub mod deployment;
pub mod folder;
pub mod health;
pub mod sightings;

pub use addresses::{Addresses, Pool};
pub use compressed::Compressed;
pub use deployment::Deployment;
pub use folder::{FolderError, RunFolder};
pub use health::Health;
pub use sightings::{Seen, Sighting, Sightings};
