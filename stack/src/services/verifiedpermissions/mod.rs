//! Verified Permissions: the `cedar-policy` crate behind the wire protocol of the service.

pub mod store;
