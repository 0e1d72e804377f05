//! The services that mail goes through, as the SDKs of the functions meet them: real sockets, requests as they send them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod objects;
mod queues;
mod signing;
mod stage;
mod topics;
