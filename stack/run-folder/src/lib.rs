//! What the processes of one run tell each other through files in one folder: what to deploy, where
//! to reach it, what happened there. It opens no socket and starts no process.

pub mod addresses;
pub mod cause;
pub mod compressed;
pub mod deployment;
pub mod effects;
pub mod folder;
pub mod health;
pub mod lock;
pub mod seed_folder;
pub mod sightings;

pub use addresses::{Addresses, Pool};
pub use compressed::Compressed;
pub use deployment::Deployment;
pub use effects::{Change, Effect, Place, Watch};
pub use folder::{FolderError, RunFolder};
pub use health::Health;
pub use seed_folder::{SeedFolder, SeedFolderError};
pub use sightings::{Seen, Sighting, Sightings};
