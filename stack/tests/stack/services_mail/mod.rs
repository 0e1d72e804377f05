//! The services that mail passes through, as the functions' SDKs use them: real sockets, requests
//! in the form that SDKs send.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bus;
mod fan_out;
mod machines;
mod objects;
mod ordered;
mod page;
mod parts;
mod queues;
mod signing;
mod stage;
mod topics;
