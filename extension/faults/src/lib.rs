//! The vocabulary everyone speaks: what may go wrong, for whom, and what was decided.
//! Pure: it reads no clock, opens no file and holds no socket, so a decision can be repeated.

pub mod action;
pub mod complaint;
pub mod identity;
pub mod kinds;
pub mod ledger;
pub mod plan;
pub mod roll;
pub mod share;
pub mod time;
pub mod when;

pub use action::{Action, Moment};
pub use complaint::Complaint;
pub use identity::{Identity, trace_root};
pub use kinds::Kind;
pub use ledger::{Arm, Entry, Start};
pub use plan::{Decision, Fault, Lease, Place, Plan};
pub use roll::Roll;
pub use share::Share;
pub use when::{Facts, When};
