//! Where an experiment can be made, one file each.

mod arming;
mod attached;
pub mod bare;
pub mod deployed;
pub mod driven;
mod ledgers;
pub mod local;
mod story;
pub mod tail;
