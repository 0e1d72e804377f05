//! Where an experiment can be made, one file each.

pub mod bare;
pub mod local;
pub mod remote;
mod tail;
