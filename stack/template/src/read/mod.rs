//! Reads the resources of a template in plain CloudFormation, one file a kind.

mod alarms;
mod attributes;
mod authorizers;
mod buckets;
mod code;
mod data_streams;
pub(crate) mod declared;
mod encryption_keys;
mod functions;
pub(crate) mod http;
mod integrations;
mod keys;
mod machines;
mod mappings;
mod openapi;
mod parameters;
pub(crate) mod physical;
mod pools;
mod queues;
pub(crate) mod rest;
mod rules;
pub(crate) mod section;
mod tables;
mod topics;

#[cfg(test)]
mod tests;
