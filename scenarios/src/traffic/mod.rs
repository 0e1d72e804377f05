//! What is sent to the systems and what is told of it, event by event. How and when requests are sent is the crate `load`'s.

pub(crate) mod internals;
pub mod order;
pub mod preparation;
mod steps;
pub mod tokens;
mod under_way;
pub(crate) mod voice;

pub use order::{Load, Order};
pub use tokens::Tokens;
pub use under_way::{Traffic, start};
