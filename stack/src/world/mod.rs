//! Who and what there is in the systems under test: the same description seeds the services, shapes the traffic and tells the oracles what is right.

pub mod audit;
pub mod clinic;
pub mod inactive_users;
pub mod mail;
pub mod policies;
pub mod record_machine;
pub mod thermostat;
pub mod weaknesses;

/// The password of every user on this machine.
pub const PASSWORD: &str = "Brownout-1!";
