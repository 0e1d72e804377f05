//! Reads the resources of a template, one file a kind.

mod alarms;
pub(crate) mod apis;
mod buckets;
pub(crate) mod declared;
pub(crate) mod functions;
pub(crate) mod keys;
mod machines;
mod mappings;
pub(crate) mod physical;
mod pools;
mod queues;
pub(crate) mod section;
mod tables;

#[cfg(test)]
mod tests;
