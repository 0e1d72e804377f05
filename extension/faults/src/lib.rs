//! The vocabulary of all crates: what may go wrong, for whom, and what was decided.
//! Pure: it reads no clock, opens no file and holds no socket, so a decision can be repeated.

pub mod access;
pub mod action;
pub mod complaint;
pub mod facts;
pub mod identity;
pub mod injected_error;
pub mod json;
pub mod kinds;
pub mod ledger;
pub mod memory;
pub mod pattern;
pub mod places;
pub mod plan;
pub mod roll;
pub mod share;
pub mod time;
pub mod trigger;
pub mod when;

pub use action::{Action, Alteration, Death, Moment};
pub use complaint::Complaint;
pub use facts::Facts;
pub use identity::{By, Identity, trace_root};
pub use injected_error::InjectedError;
pub use kinds::{Kind, Settings};
pub use ledger::{Arm, Entry, Start};
pub use memory::Memory;
pub use places::Places;
pub use plan::{Decision, Fault, LARGEST_PLAN, Lease, Place, Plan};
pub use roll::Roll;
pub use share::Share;
pub use trigger::Trigger;
pub use when::When;
