//! Services that hold data, as functions use them: over sockets, with the bodies that SDKs send.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on has failed")]

mod dynamodb;
mod moto;
mod others;
mod stage;
