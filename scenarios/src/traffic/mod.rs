//! What is sent to the systems and what is told of it, event by event. How and when requests are sent is the crate `load`'s.

pub mod order;
pub mod preparation;
mod steps;
mod under_way;
pub(crate) mod voice;

pub use order::{Load, Order};
pub use under_way::{Traffic, start};
