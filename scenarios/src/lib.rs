//! Traffic, devices and oracles: who asks what and when, and what is a right answer.

pub mod conservation;
pub mod digest;
pub mod exchange;
pub mod invariants;
pub mod journeys;
pub mod leaks;
pub mod links;
pub mod mails;
pub mod records;
mod right;
pub mod strike;
pub mod systems;
pub mod traffic;
pub mod units;
pub mod users;

pub use exchange::{Asked, Event, Exchange};
pub use strike::Struck;
