//! Attaching: one update that contains both the change and its undo record.

mod act;
mod complaint;
mod decide;
pub(crate) mod update;
pub(crate) mod wish;

pub use act::{AttachError, Attached, attach, preview};
pub use complaint::Complaint;
pub use decide::{Step, decide, record_of, unfit};
pub use update::Update;
pub use wish::{Layer, Surroundings, Wish};
