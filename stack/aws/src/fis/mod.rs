//! Drives an experiment through AWS FIS: creates what is missing, then starts, watches and stops
//! it. FIS decides when it ends; nothing here touches a function.

mod client;
mod drive;
mod leftovers;
mod prepare;

pub use client::{Fis, FisError};
pub use drive::{Actions, Seen, Status};
pub use leftovers::{Leftover, Leftovers, What};
pub use prepare::Prepared;
