//! The targets of experiments, one file each.

pub mod bare;
#[cfg(test)]
mod conformance;
pub mod local;
pub mod remote;
#[cfg(test)]
mod stand_in;
mod tail;
