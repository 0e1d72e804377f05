//! The vocabulary of all crates: what may go wrong, for whom, and what was decided.
//! Pure: it reads no clock, opens no file and holds no socket, so a decision can be repeated.

pub mod access;
pub mod action;
pub mod arm;
pub mod complaint;
pub mod decision;
pub mod edits;
pub mod effect;
pub mod facts;
pub mod identity;
pub mod injected_error;
pub mod json;
pub mod kinds;
pub mod ledger;
pub mod memory;
pub mod outage;
pub mod pace;
pub mod pattern;
pub mod places;
pub mod plan;
pub mod pressure;
pub mod roll;
pub mod settings;
pub mod share;
pub mod start;
pub mod time;
pub mod trigger;
pub mod when;

pub use action::{Action, ActionName, Alteration, Death, Moment};
pub use arm::Arm;
pub use complaint::Complaint;
pub use decision::Decision;
pub use facts::Facts;
pub use identity::{By, Identity, trace_root};
pub use injected_error::InjectedError;
pub use kinds::Kind;
pub use ledger::Entry;
pub use memory::Memory;
pub use places::Places;
pub use plan::{Fault, LARGEST_PLAN, Lease, Place, Plan};
pub use roll::Roll;
pub use settings::Settings;
pub use share::Share;
pub use start::Start;
pub use trigger::Trigger;
pub use when::When;
