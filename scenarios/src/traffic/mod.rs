//! What is sent to the systems and what is told of it, event by event. How and when requests are sent is the crate `load`'s.

pub(crate) mod internals;
mod once;
pub mod order;
pub mod preparation;
mod steps;
pub mod tokens;
mod under_way;
mod users;
pub(crate) mod voice;

pub use once::Once;
pub use order::{Load, Order};
pub use tokens::Tokens;
pub use under_way::{Traffic, start};
