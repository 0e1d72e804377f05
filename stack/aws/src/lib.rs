//! Attaches the extension to functions in AWS, arms and calms it, and takes everything back as it was. What is decided is decided purely from what
//! was read, and acted upon elsewhere; a value of somebody's variable is never shown, logged or kept.

#[cfg(test)]
extern crate self as aws;

pub mod arm;
pub mod attach;
pub mod call;
pub mod canary;
pub mod exports;
pub mod function;
pub mod journal;
pub mod logs;
pub mod marker;
pub mod patience;
pub mod recover;
pub mod secret;
pub mod tags;
pub mod undo;

mod client;

pub use client::Lambda;
pub use patience::Patience;
